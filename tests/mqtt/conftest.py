"""Brokers to test against."""

from brokers import fake_broker, hasty, mosquitto, tcp_server

__all__ = ["fake_broker", "hasty", "mosquitto", "tcp_server"]

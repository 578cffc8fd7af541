"""A browser and brokers for pages of the examples."""

from brokers import mosquitto
from javascript import chromium

__all__ = ["chromium", "mosquitto"]

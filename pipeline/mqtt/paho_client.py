"""The only file that imports paho: a client for one connection, its properties and reason codes."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.enums import MQTTProtocolVersion as ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from .address import BrokerAddress
from .receive_limit import MAX_PACKET_BYTES
from .session import SessionOptions

__all__ = [
    "MQTT_3_1_1",
    "MQTT_5",
    "Client",
    "Properties",
    "ProtocolVersion",
    "ReasonCode",
    "prepare",
    "puback_reason",
]

MQTT_5 = ProtocolVersion.MQTTv5
MQTT_3_1_1 = ProtocolVersion.MQTTv311

KEEPALIVE_S = 20
"""An idle connection that is dead is noticed within one and a half of these."""

_FAILURE = 0x80
"""Reason codes from here on are failures."""

SUBSCRIBER_RECEIVE_MAXIMUM = 100
"""Messages that an MQTT 5 broker may send without an acknowledgement: it bounds the waiting ones."""


def prepare(
    address: BrokerAddress, options: SessionOptions, protocol: ProtocolVersion, wrapper: ssl.SSLContext
) -> tuple[Client, Callable[[], Any]]:
    """A client that acknowledges nothing by itself and never reconnects, and the call that connects it, which blocks.

    `wrapper`: its `wrap_socket` is given the TCP connection.
    """
    is_5 = protocol == MQTT_5
    client = Client(
        CallbackAPIVersion.VERSION2,
        options.client_id,
        clean_session=None if is_5 else not options.session_s,
        protocol=protocol,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = options.answer_s
    client.tls_set_context(wrapper)
    if address.username is not None:
        client.username_pw_set(address.username, address.password)
    if will := options.will:
        properties = _properties(PacketTypes.WILLMESSAGE, ContentType=will.content_type) if is_5 else None
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
    return client, partial(client.connect, address.host, address.port, KEEPALIVE_S, **_session(options, protocol))


def _session(options: SessionOptions, protocol: ProtocolVersion) -> dict[str, Any]:
    if protocol == MQTT_3_1_1:
        return {}
    properties = _properties(
        PacketTypes.CONNECT,
        ReceiveMaximum=SUBSCRIBER_RECEIVE_MAXIMUM,
        MaximumPacketSize=MAX_PACKET_BYTES,
        SessionExpiryInterval=options.session_s,
    )
    return {"properties": properties, "clean_start": False if options.session_s else MQTT_CLEAN_START_FIRST_ONLY}


def puback_reason(code: int) -> str:
    """Name of a reason code of a PUBACK (MQTT 5.0 3.4.2.1); empty for success, which is below 0x80."""
    if code < _FAILURE:
        return ""
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=code))
    except (KeyError, ValueError):
        return f"reason code 0x{code:02X}"


def _properties(packet_type: int, **values: str | int) -> Properties:
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties

"""Parse and format hosts and ports in options and URLs."""

from __future__ import annotations

from ..model.errors import ConfigError


def host_and_port(option: str, text: str) -> tuple[str, int]:
    """Parse HOST:PORT, with an IPv6 address in brackets. ConfigError, with the name of the option, if it is invalid."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{option} {text}: it is written HOST:PORT")
    return host.strip("[]"), int(port)


def in_url(host: str) -> str:
    """The host for a URL, with an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host

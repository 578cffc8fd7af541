"""Hosts and ports, as options and URLs have them."""

from __future__ import annotations

from ..model.errors import ConfigError


def host_and_port(option: str, text: str) -> tuple[str, int]:
    """Read HOST:PORT, an IPv6 address in brackets. ConfigError, which names the option, for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{option} {text}: it is written HOST:PORT")
    return host.strip("[]"), int(port)


def in_url(host: str) -> str:
    """The host as a URL has it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host

"""Reads the source of a station, `NAME=URL`, and refuses listeners that anyone can reach unless they are named.

    tcp-listen://HOST:PORT  tcp://HOST:PORT  feed://HOST:PORT  udp://HOST:PORT  file:///PATH  stdin:

`feed` is TCP from `downlink feed`, which asks how much is recorded and so loses nothing. TCP sources take
`?cert=FILE&key=FILE&ca=FILE`: TLS, and with `ca` the peer must show a certificate of that authority. The common name of
a peer that connects to a listener must be `station`, or one of `&who=NAME[,NAME]`.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from ..model.errors import ConfigError
from ..mqtt.address import is_loopback
from ..system.tls import check_names, load_authority, load_own

DEFAULT_NAME = "live"
FEEDERS = ("station",)
"""Common names of certificates that may feed a listener, unless `who` names others."""
LISTENERS = ("tcp-listen", "feed", "udp")
_KINDS = (*LISTENERS, "tcp", "file", "stdin")
_HINT = "it is written [NAME=]tcp-listen://HOST:PORT, tcp://, feed://, udp://HOST:PORT, file:///PATH or stdin:"


@dataclass(frozen=True, slots=True)
class Station:
    """One source: `name` is its topic level and its folder in the recording."""

    name: str
    kind: str
    host: str = ""
    port: int = 0
    path: Path = Path()
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    who: tuple[str, ...] = ()
    """Common names that the other side's certificate may have; empty: FEEDERS at a listener, any at a client."""

    @property
    def authenticates(self) -> bool:
        """Whether a peer must show a certificate."""
        return self.kind != "udp" and self.cert is not None and self.ca is not None


def read_station(text: str) -> Station:
    """Parse `[NAME=]URL` as the options of ingest take it. Raises ConfigError that says what is wrong."""
    name, has_name, url = text.partition("=")
    if not has_name or ":" in name:
        name, url = DEFAULT_NAME, text
    if (
        not name
        or not name.replace("-", "").replace("_", "").isalnum()
        or not name.isascii()
        or name != name.lower()
    ):
        raise ConfigError(f"the station in {text!r} needs a name of a-z, 0-9, '-' and '_'")
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError:
        raise ConfigError(f"the source of {name} cannot be read: {_HINT}") from None
    if parts.scheme not in _KINDS:
        raise ConfigError(f"the source of {name} is of no known kind: {_HINT}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if options.keys() - {"cert", "key", "ca", "who"}:
        raise ConfigError(f"the source of {name} has options that are not cert, key, ca or who")
    who = _names(name, options)
    if parts.scheme == "stdin":
        return Station(name, "stdin")
    if parts.scheme == "file":
        if not parts.path:
            raise ConfigError(f"the source of {name} names no file: {_HINT}")
        return Station(name, "file", path=Path(unquote(parts.path)))
    if not parts.hostname or not (port or parts.scheme in LISTENERS):
        raise ConfigError(f"the source of {name} needs host and port: {_HINT}")
    files = {key: Path(value) for key, value in options.items() if key != "who"}
    return Station(name, parts.scheme, parts.hostname, port, **files, who=who)


def _names(station: str, options: Mapping[str, str]) -> tuple[str, ...]:
    """Parse the common names of `who=`. Raises ConfigError for an empty name, or if there is no `ca=`."""
    if "who" not in options:
        return ()
    names = tuple(part.strip() for part in options["who"].split(","))
    if not all(names):
        raise ConfigError(
            f"the source of {station}: who= names the certificates that may connect, as who=NAME,NAME"
        )
    if "ca" not in options:
        raise ConfigError(f"the source of {station}: who= needs ca=, since without it no certificate is asked for")
    return names


def check_listener(name: str, host: str, *, authenticates: bool | None, open_to_all: Collection[str]) -> None:
    """Raise ConfigError if a listener on a public address accepts any peer and is not named in `open_to_all`.

    `authenticates`: whether peers must show a certificate; None: the protocol has no authentication.
    """
    if authenticates or is_loopback(host) or name in open_to_all:
        return
    means = "" if authenticates is None else "ask for certificates (cert, key and ca), "
    raise ConfigError(
        f"{name} would listen on {host} to anyone: listen on 127.0.0.1, {means}"
        f"or say --open {name} (DOWNLINK_OPEN) if the network keeps strangers out"
    )


def tls_of(station: Station, *, server: bool) -> ssl.SSLContext | None:
    """Make the TLS context of a station; None if it has no certificate and no authority.

    Raises ConfigError for files that cannot be read, and for a listener without a certificate.
    """
    if station.cert is None and station.key is None and station.ca is None:
        return None
    if server and station.cert is None:
        raise ConfigError(f"the certificates of {station.name} cannot be used: a listener needs cert, key and ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    load_own(context, station.cert, station.key, station.name)
    if station.ca:
        load_authority(context, station.ca, station.name)
        context.verify_mode = ssl.CERT_REQUIRED
    elif not server:
        context.load_default_certs()
    names = station.who or (FEEDERS if server and station.ca else ())
    check_names(context, station.name, names)
    return context

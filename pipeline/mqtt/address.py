"""The broker's address from a URL, the environment and a file. The password is in no text or log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from ..model.errors import ConfigError

URL = "DOWNLINK_BROKER"
PASSWORD = "DOWNLINK_BROKER_PASSWORD"  # noqa: S105  the name of a variable, not a password
PASSWORD_FILE = "DOWNLINK_BROKER_PASSWORD_FILE"  # noqa: S105  likewise
IN_CLEAR = "DOWNLINK_BROKER_IN_CLEAR"
"""`yes`: a password may go over a network without TLS."""

_TLS = ("DOWNLINK_TLS_CA", "DOWNLINK_TLS_CERT", "DOWNLINK_TLS_KEY")
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HINT = (
    f"it is written mqtt://[user@]host[:port], mqtts:// for TLS; the password in ${PASSWORD_FILE} or ${PASSWORD}"
)


def _always() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker to connect to. `ended` gives why an embedded one is not restarted any more; empty while it is."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: Path | None = None
    """The CA of the broker's certificate; None for those of the system."""
    cert: Path | None = None
    key: Path | None = None
    """Client certificate and its key; None for none."""
    mqtt_5: bool = True
    """False where the broker is known to support 3.1.1 only."""
    ended: Callable[[], str] = field(default=_always, repr=False, compare=False)

    @property
    def alive(self) -> bool:
        """False once an embedded broker has ended for good; True of any other."""
        return not self.ended()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.username}@" if self.username else ""
        return f"{'mqtts' if self.tls else 'mqtt'}://{user}{host}:{self.port}"


def read_address(url: str, environ: Mapping[str, str]) -> BrokerAddress:
    """Read the address from a URL; ConfigError where it is none.

    A user without a password has that of $DOWNLINK_BROKER_PASSWORD_FILE or $DOWNLINK_BROKER_PASSWORD. One in a URL
    that is not $DOWNLINK_BROKER is refused, since anyone on the machine can read a command line. TLS takes the files
    that $DOWNLINK_TLS_CA, $DOWNLINK_TLS_CERT and $DOWNLINK_TLS_KEY name, if any; without TLS they are a mistake. A
    password leaves this machine without TLS only where $DOWNLINK_BROKER_IN_CLEAR says `yes`.
    """
    parts, port = _split(url)
    username = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    if password and environ.get(URL) != url:
        raise ConfigError(
            "the broker's URL has a password, which anyone on this machine can read off the command line: leave it "
            f"out, and change it if it was real; {_HINT}"
        )
    if username and password is None:
        password = _secret(environ)
    if password and not username:
        raise ConfigError(f"the broker's URL has a password but no user: {_HINT}")
    tls = parts.scheme == "mqtts"
    if not tls:
        _check_clear(str(parts.hostname), environ, has_password=bool(password))
    files = [Path(environ[name]) if environ.get(name) else None for name in _TLS]
    return BrokerAddress(
        str(parts.hostname), port, username or None, password, tls, ca=files[0], cert=files[1], key=files[2]
    )


def _check_clear(host: str, environ: Mapping[str, str], *, has_password: bool) -> None:
    """ConfigError where TLS files are set for a URL without TLS, or a password would cross a network in clear text."""
    named = [name for name in _TLS if environ.get(name)]
    if named:
        raise ConfigError(
            f"the broker's URL is mqtt://, which is without TLS, but ${named[0]} is set: write mqtts://, or unset it"
        )
    consent = environ.get(IN_CLEAR, "")
    if consent not in {"", "no", "yes"}:
        raise ConfigError(f"${IN_CLEAR} is {consent!r}: it is yes or no")
    if has_password and consent != "yes" and not is_loopback(host):
        raise ConfigError(
            f"the password would go to {host} without TLS, for anyone on the way to read: write mqtts://, or set "
            f"{IN_CLEAR}=yes if the network keeps strangers out"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's loopback; of names only `localhost` is."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        raise ConfigError(f"the broker's URL cannot be read: {_HINT}") from None
    if parts.scheme not in _PORTS or not parts.hostname or not 0 < port < 65536 or any(map(str.isspace, url)):
        raise ConfigError(f"the broker's URL is not of an MQTT broker: {_HINT}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"the broker's URL has more than host and port: {_HINT}")
    return parts, port


def _secret(environ: Mapping[str, str]) -> str | None:
    file = environ.get(PASSWORD_FILE)
    if not file:
        return environ.get(PASSWORD)
    try:
        return Path(file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigError(f"${PASSWORD_FILE}: cannot read {file}: {reason}") from None

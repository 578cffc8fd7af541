"""TLS of brokers and stations: load certificates, check names, and describe errors for operators."""

from __future__ import annotations

import re
import ssl
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import structlog

from ..model.errors import ConfigError

HANDSHAKE_S = 10.0
"""Time limit of a handshake."""
LAB_AUTHORITY = "downlink lab authority"
"""Issuer of the certificates of `downlink certs`."""
BROKER = "broker"
"""Common name of the broker's certificate of that authority."""
_log = structlog.get_logger("station")


def options(context: ssl.SSLContext | None) -> dict[str, Any]:
    """Keyword arguments of asyncio for a connection or listener; None: without TLS."""
    return {"ssl": context, "ssl_handshake_timeout": HANDSHAKE_S if context else None}


def load_own(context: ssl.SSLContext, cert: Path | None, key: Path | None, whose: str) -> None:
    """Load our own certificate, if there is one. ConfigError of one line if it cannot be used."""
    if cert is None:
        if key is not None:
            raise ConfigError(f"the certificates of {whose} cannot be used: a key ({key}) without its certificate")
        return
    try:
        context.load_cert_chain(cert, key, password=lambda: _no_passphrase(key or cert, whose))
    except ssl.SSLError as error:
        mistakes = {"KEY_VALUES_MISMATCH": f"{key} is not the key of {cert}"}
        reason = mistakes.get(error.reason or "", f"{cert} and {key or cert} are no certificate and its key")
        raise ConfigError(f"the certificates of {whose} cannot be used: {reason}") from None
    except OSError as error:
        missing = next((path for path in (cert, key) if path and not path.is_file()), key or cert)
        raise ConfigError(f"the certificates of {whose} cannot be used: {missing}: {error.strerror}") from None


def load_authority(context: ssl.SSLContext, ca: Path, whose: str) -> None:
    """Trust an authority. ConfigError of one line if the file cannot be used."""
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError:
        raise ConfigError(f"the certificates of {whose} cannot be used: {ca} has none of an authority") from None
    except OSError as error:
        raise ConfigError(f"the certificates of {whose} cannot be used: {ca}: {error.strerror}") from None


def in_words(error: object) -> str:
    """An error of OpenSSL without source places: "certificate verify failed: certificate has expired"."""
    text = re.sub(r"^(\[SSL(: \w+)?\] )+", "", str(error))
    return re.sub(r" \(_ssl\.c:\d+\)$", "", text)


class CheckedHandshake(ssl.SSLObject):
    """A handshake that logs failures and the name of the peer, and fails if that name is not in `names`.

    asyncio closes a connection after a failed handshake without a log line, and without a call of its protocol, so a
    refused peer does not disturb an open connection.
    """

    station = ""
    names: Collection[str] = ()
    """Accepted common names; empty: all certificates of the authority."""
    n_refused = 0

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
            if self.names:
                self._check_name()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            type(self).n_refused += 1
            if self.server_side:
                _log.warning("refused: no TLS connection", station=self.station, reason=in_words(error))
            raise

    def _check_name(self) -> None:
        name = common_name(self.getpeercert())
        if name not in self.names:
            allowed = " or ".join(self.names)
            raise ssl.SSLCertVerificationError(1, f"the certificate of {name!r} is not that of {allowed}")
        _log.info("accepted a certificate", station=self.station, who=name)


def check_names(context: ssl.SSLContext, station: str, names: Collection[str]) -> None:
    """Make the handshakes of a context log failures, and accept only peers with one of these common names."""
    counted = {"station": station, "names": tuple(names), "n_refused": 0}
    context.sslobject_class = type("CheckedHandshake", (CheckedHandshake,), counted)


def check_broker(certificate: Mapping[str, Any] | None) -> None:
    """SSLCertVerificationError if a broker has a certificate of `downlink certs` for a service.

    The certificate of ingest is valid for a server, too, and may have the same host as the broker's.
    """
    name = common_name(certificate)
    if common_name(certificate, "issuer") == LAB_AUTHORITY and name != BROKER:
        raise ssl.SSLCertVerificationError(
            1, f"certificate verify failed: it is that of {name!r}, not of the broker"
        )


def n_refused(context: ssl.SSLContext | None) -> int:
    """Number of failed handshakes of a context."""
    return getattr(context.sslobject_class, "n_refused", 0) if context else 0


def common_name(certificate: Mapping[str, Any] | None, of: str = "subject") -> str:
    """The common name in a result of `getpeercert`; empty if there is none, or several."""
    pairs = [pair for part in (certificate or {}).get(of, ()) for pair in part]
    names = [str(value) for key, value in pairs if key == "commonName"]
    return names[0] if len(names) == 1 else ""


def _no_passphrase(path: Path, whose: str) -> str:
    """Raise ConfigError; OpenSSL would ask on the terminal, which a service does not have."""
    raise ConfigError(f"the certificates of {whose} cannot be used: {path} has a passphrase; store it without one")

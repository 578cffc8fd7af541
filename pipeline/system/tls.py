"""TLS of brokers and stations: loading certificates, checking names, and errors in words for operators."""

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
"""The issuer of what `downlink certs` makes."""
BROKER = "broker"
"""The common name of a broker's certificate of that authority."""
_log = structlog.get_logger("station")


def options(context: ssl.SSLContext | None) -> dict[str, Any]:
    """Keyword arguments of asyncio for a connection or listener with TLS; without it for None."""
    return {"ssl": context, "ssl_handshake_timeout": HANDSHAKE_S if context else None}


def load_own(context: ssl.SSLContext, cert: Path | None, key: Path | None, whose: str) -> None:
    """Show a certificate of our own, where there is one. ConfigError in one line where it cannot be used."""
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
    """Trust an authority. ConfigError in one line where the file cannot be used."""
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError:
        raise ConfigError(f"the certificates of {whose} cannot be used: {ca} has none of an authority") from None
    except OSError as error:
        raise ConfigError(f"the certificates of {whose} cannot be used: {ca}: {error.strerror}") from None


def in_words(error: object) -> str:
    """An error of OpenSSL without its places: "certificate verify failed: certificate has expired"."""
    text = re.sub(r"^(\[SSL(: \w+)?\] )+", "", str(error))
    return re.sub(r" \(_ssl\.c:\d+\)$", "", text)


class CheckedHandshake(ssl.SSLObject):
    """A handshake that logs its failure and the name of the peer, and fails where that name is not in `names`.

    asyncio closes a connection whose handshake fails without a log line, and before its protocol hears of it: a peer
    that is refused never disturbs a connection that is open.
    """

    station = ""
    names: Collection[str] = ()
    """Common names of certificates that are accepted; empty: any of the authority's."""
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
    """Have the handshakes of an asyncio connection log failures, and accept only peers with one of these names."""
    counted = {"station": station, "names": tuple(names), "n_refused": 0}
    context.sslobject_class = type("CheckedHandshake", (CheckedHandshake,), counted)


def check_broker(certificate: Mapping[str, Any] | None) -> None:
    """SSLCertVerificationError for a service's certificate of `downlink certs` that is shown as a broker's.

    The certificate of ingest is a server's too, and may hold for the same host as the broker's.
    """
    name = common_name(certificate)
    if common_name(certificate, "issuer") == LAB_AUTHORITY and name != BROKER:
        raise ssl.SSLCertVerificationError(
            1, f"certificate verify failed: it is that of {name!r}, not of the broker"
        )


def n_refused(context: ssl.SSLContext | None) -> int:
    """Handshakes that failed at the listener or client of this context."""
    return getattr(context.sslobject_class, "n_refused", 0) if context else 0


def common_name(certificate: Mapping[str, Any] | None, of: str = "subject") -> str:
    """The common name in what `getpeercert` gives; empty where there is none, or more than one."""
    pairs = [pair for part in (certificate or {}).get(of, ()) for pair in part]
    names = [str(value) for key, value in pairs if key == "commonName"]
    return names[0] if len(names) == 1 else ""


def _no_passphrase(path: Path, whose: str) -> str:
    """Else OpenSSL asks the terminal, which a service has not."""
    raise ConfigError(f"the certificates of {whose} cannot be used: {path} has a passphrase; store it without one")

"""What is common to TLS with brokers and with stations: certificates of our own, and refusals in words for a person."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import structlog

from pipeline.errors import ConfigError

HANDSHAKE_S = 10.0
"""For a handshake; who is slower is not served."""
_log = structlog.get_logger("station")


def options(context: ssl.SSLContext | None) -> dict[str, Any]:
    """What asyncio is told of TLS where it connects or listens; None is without."""
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


class TellingHandshake(ssl.SSLObject):
    """A listener's side of a handshake: asyncio closes what fails without a word, so the word is said here."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            _log.warning("refused: no TLS connection", reason=in_words(error))
            raise


def _no_passphrase(path: Path, whose: str) -> str:
    """Else OpenSSL asks the terminal, which a service has not."""
    raise ConfigError(f"the certificates of {whose} cannot be used: {path} has a passphrase; store it without one")

"""Remaining validity of the certificates in use: a metric that warns before a connection fails."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path


def remaining_s(paths: Iterable[Path | None]) -> float:
    """Seconds until the first of these certificates expires: negative if it has, infinite if there is none.

    None is skipped. A file that cannot be read as certificates counts as expired now.
    """
    return min((_ends_s(path) - time.time() for path in paths if path), default=math.inf)


def _ends_s(path: Path) -> float:
    from cryptography import x509  # noqa: PLC0415 - services without certificates do not need it

    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return time.time()
    return min(certificate.not_valid_after_utc.timestamp() for certificate in certificates)

"""How long the certificates in use are still valid: a metric, to be seen before a connection fails."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path


def remaining_s(paths: Iterable[Path | None]) -> float:
    """Seconds until the first of these certificates ends: negative after it, infinite where there is none.

    None is left out. A file that cannot be read as certificates counts as ended now.
    """
    return min((_ends_s(path) - time.time() for path in paths if path), default=math.inf)


def _ends_s(path: Path) -> float:
    from cryptography import x509  # noqa: PLC0415 - services without certificates do not need it

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return time.time()
    return min(one.not_valid_after_utc.timestamp() for one in found)

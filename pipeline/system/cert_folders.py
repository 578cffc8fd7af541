"""Certificates for containers that start together: missing and expiring ones are made, others are kept.

In: a folder with subfolders for the authority and each service. Out: `ca.crt`, `own.crt` and `own.key` in the folder of
each service, and `acl` in that of the broker. A service has access only to its own folder.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..model.errors import ConfigError, RunError
from .certs import CLIENTS, Authority, access_list, make_authority, make_pair
from .files import whole_file
from .tls import BROKER

AUTHORITY = "authority"
RENEW_DAYS = 30.0
"""Certificates with a shorter remaining validity are replaced."""
_GROUP_READS = 0o640
"""Mode of files that the broker reads: it runs as another user, in the same group."""


def keep_certificates(
    root: Path, names: Sequence[str], hosts: Sequence[str], mission: str, days: float
) -> list[Path]:
    """Make missing and expiring certificates. Returns the files made. RunError if a folder cannot be written.

    `names`: of folders, `broker` or names of clients; ConfigError for others. Without a valid authority all are
    replaced.
    """
    unknown = sorted(set(names) - {BROKER, *CLIENTS})
    if unknown or not names:
        known = ", ".join((BROKER, *CLIENTS))
        raise ConfigError(f"--each {' '.join(unknown)}: a certificate is that of {known}")
    try:
        authority, is_new = _authority(root / AUTHORITY, days)
        made = []
        for name in names:
            folder = root / name
            folder.mkdir(parents=True, exist_ok=True)
            if is_new or not _holds(folder, authority):
                made += _make(folder, name, authority, days, hosts if name == BROKER else ())
        if BROKER in names:
            with whole_file(root / BROKER / "acl", _GROUP_READS) as acl:
                acl.write(access_list(mission).encode())
    except OSError as error:
        raise RunError(f"cannot write certificates in {root}: {error.strerror}") from error
    return made


def _authority(folder: Path, days: float) -> tuple[Authority, bool]:
    """The authority in `folder`, else a new one; and whether it is new."""
    folder.mkdir(parents=True, exist_ok=True)
    found = _kept_authority(folder)
    if found:
        return found, False
    (folder / "ca.key").unlink(missing_ok=True)
    return make_authority(folder, days), True


def _kept_authority(folder: Path) -> Authority | None:
    """The authority in a folder; None if files are missing or invalid, do not match, or expire soon."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    return (certificate, key) if _remains(certificate) else None


def _holds(folder: Path, authority: Authority) -> bool:
    """Whether the folder has a valid certificate of this authority, which does not expire soon, and its key."""
    try:
        own = x509.load_pem_x509_certificate((folder / "own.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / "own.key").read_bytes(), None)
        own.verify_directly_issued_by(authority[0])
        ca = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    except Exception:  # noqa: BLE001  with any error in the files, they are made again
        return False
    return ca == authority[0] and own.public_key() == key.public_key() and _remains(own)


def _remains(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) > dt.timedelta(days=RENEW_DAYS)


def _make(folder: Path, name: str, authority: Authority, days: float, hosts: Sequence[str]) -> list[Path]:
    """Write the files of a service, the key last: after an interruption they are made again."""
    certificate, key = make_pair(name, authority, days, hosts)
    ca = authority[0].public_bytes(serialization.Encoding.PEM)
    files = {"ca.crt": (ca, 0o644), "own.crt": (certificate, 0o644), "own.key": (key, _GROUP_READS)}
    for file, (octets, mode) in files.items():
        with whole_file(folder / file, mode) as whole:
            whole.write(octets)
    return [folder / file for file in files]

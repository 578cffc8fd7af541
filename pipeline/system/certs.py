"""Make certificates for a lab: an authority, the broker, and each client. Not for the open internet.

In: a folder and the host names of broker and ingest. Out: `ca.crt`, `<name>.crt` and `<name>.key` of each, `acl` and
`mosquitto.conf`. Keys, also that of the authority, are readable only by their owner.

The broker's certificate is only valid for a server, those of clients only for clients. That of ingest is valid for
both, since stations connect to ingest: clients of the broker refuse it by its name (`tls.check_broker`).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..model.errors import ConfigError, RunError
from .outputs import check_folder, check_replace
from .tls import BROKER, LAB_AUTHORITY

Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
CLIENTS = ("ingest", "decode", "publish", "history", "replay", "reader", "operator", "station")
_PUBLISHED = ("product/#", "latest/#", "link/#", "event/#", "packet/#", "packets", "report")
PUBLISHING = "\n".join(f"topic write {{m}}/+/{topic}" for topic in _PUBLISHED)
"""Rules for publishers of streams."""
READING = "\n".join(
    [*(f"topic read {{m}}/+/{topic}" for topic in (*_PUBLISHED, "progress")), "topic read {m}/status/#"]
)
"""Rules for readers, such as a dashboard."""
ACL = """\
# mosquitto: who a certificate names may do this. Each service speaks only for its own stage.
user ingest
topic write {m}/stage/offer
topic write {m}/stage/raw/#
topic read {m}/stage/claim
topic read {m}/stage/done
topic read {m}/stage/lost
topic read {m}/stage/hello
topic read {m}/status/publish
topic write {m}/status/#

user decode
topic read {m}/stage/offer
topic read {m}/stage/raw/#
topic write {m}/stage/claim
topic write {m}/stage/out
topic write {m}/stage/lost
topic write {m}/status/#

user publish
topic read $SYS/broker/#
topic read {m}/stage/out
topic write {m}/stage/done
topic write {m}/stage/lost
topic write {m}/stage/hello
{publishing}
topic write {m}/status/#

user history
topic read {m}/stage/out
topic write {m}/stage/done
topic write {m}/stage/lost
topic write {m}/stage/hello
topic write {m}/status/#

user reader
{reading}

# A dashboard whose viewers may pause and wind replays: a reader that may say so, and no more.
user operator
{reading}
topic write {m}/+/control

# `downlink replay`, which publishes as the services do, and is told to pause.
user replay
topic read {m}/+/control
{publishing}
topic write {m}/+/progress
topic write {m}/status/#
"""
CONFIGURATION = """\
# mosquitto with TLS: a client shows a certificate of ca.crt, whose name is its user in the access list.
listener 8883
cafile {folder}/ca.crt
certfile {folder}/broker.crt
keyfile {folder}/broker.key
require_certificate true
use_identity_as_username true
acl_file {folder}/acl
persistence true
autosave_interval 1
set_tcp_nodelay true
max_queued_messages 0
max_packet_size 67108864
max_inflight_messages 1000
max_connections 1000
persistent_client_expiration 1d
"""


def make_certificates(
    folder: Path,
    hosts: Sequence[str],
    mission: str,
    days: float,
    stations: Sequence[str] | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write all files. ConfigError if there are some already, unless `overwrite`; RunError if writing fails.

    `hosts`: names of the broker's host. `stations`: names of ingest's host for stations; None: the same. `days`:
    validity.
    """
    check_folder(folder)
    if (folder / "ca.crt").exists() and not overwrite:
        raise ConfigError(
            f"{folder} has certificates already: name another folder, move them away, or --overwrite replaces them"
        )
    names = [f"{name}.{ending}" for name in ("ca", BROKER, *CLIENTS) for ending in ("crt", "key")]
    paths = [folder / name for name in (*names, "acl", "mosquitto.conf")]
    check_replace(paths, overwrite=overwrite)
    try:
        for path in paths:
            path.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        authority = make_authority(folder, days)
        for name in (BROKER, *CLIENTS):
            served = {BROKER: hosts, "ingest": hosts if stations is None else stations}.get(name, ())
            _write(folder, name, *make_pair(name, authority, days, served))
        (folder / "acl").write_text(access_list(mission), "utf-8")
        (folder / "mosquitto.conf").write_text(CONFIGURATION.format(folder=folder.resolve()), "utf-8")
    except OSError as error:
        raise RunError(f"cannot write certificates in {folder}: {error.strerror}") from error
    return sorted(folder.iterdir())


def make_authority(folder: Path, days: float) -> Authority:
    """Write `ca.crt` and `ca.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(LAB_AUTHORITY, key, None, days, (), ())
    _write(folder, "ca", certificate.public_bytes(serialization.Encoding.PEM), _unlocked(key))
    return certificate, key


def make_pair(name: str, authority: Authority, days: float, hosts: Sequence[str] = ()) -> tuple[bytes, bytes]:
    """A certificate and its key, in PEM: for a client, for a server of `hosts`, or for both (ingest)."""
    usages = [] if name == BROKER else [ExtendedKeyUsageOID.CLIENT_AUTH]
    if hosts:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(name, key, authority, days, usages, hosts)
    return certificate.public_bytes(serialization.Encoding.PEM), _unlocked(key)


def access_list(mission: str) -> str:
    """The access list of mosquitto for the users CLIENTS."""
    reading, publishing = (part.format(m=mission) for part in (READING, PUBLISHING))
    return ACL.format(m=mission, reading=reading, publishing=publishing)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: Authority | None,
    days: float,
    usages: Sequence[x509.ObjectIdentifier],
    hosts: Sequence[str],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    signer = issuer[1] if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_key_usage(authority=issuer is None), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_host, hosts))), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usages = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usages)


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _unlocked(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key in PEM, without a passphrase, since services start without an operator."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(folder: Path, name: str, certificate: bytes, key: bytes) -> None:
    (folder / f"{name}.crt").write_bytes(certificate)
    number = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(key)

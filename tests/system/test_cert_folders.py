"""Certificates that containers make at their first start: each its own, kept at the next start."""

import subprocess

import pytest
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.system.cert_folders import keep_certificates

NAMES = ("broker", "ingest", "publish")


def keep(folder, names=NAMES, days=365.0):
    return keep_certificates(folder, names, ["broker"], "+", days)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_second_start_makes_nothing_anew(tmp_path):
    assert len(keep(tmp_path)) == 9
    before = contents(tmp_path)
    assert keep(tmp_path) == []
    assert contents(tmp_path) == before


@pytest.mark.parametrize("lost", ["own.key", "own.crt", "ca.crt"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nno\n"])
def test_what_is_lost_or_spoilt_is_made_anew_and_the_rest_is_kept(tmp_path, lost, content):
    keep(tmp_path)
    before = contents(tmp_path)
    if content is None:
        (tmp_path / "ingest" / lost).unlink()
    else:
        (tmp_path / "ingest" / lost).write_bytes(content)
    assert {path.parent.name for path in keep(tmp_path)} == {"ingest"}
    after = contents(tmp_path)
    assert {path.parent.name for path in before if before[path] != after[path]} == {"ingest"}
    assert "OK" in openssl("verify", "-CAfile", tmp_path / "broker" / "ca.crt", tmp_path / "ingest" / "own.crt")


def test_certificates_that_end_within_thirty_days_are_made_anew(tmp_path):
    keep(tmp_path, days=29.0)
    assert len(keep(tmp_path, days=365.0)) == 9
    assert keep(tmp_path) == []


def test_with_the_authority_lost_all_are_of_the_new_one(tmp_path):
    keep(tmp_path)
    (tmp_path / "authority" / "ca.key").unlink()
    assert len(keep(tmp_path)) == 9
    for name in NAMES:
        assert "OK" in openssl("verify", "-CAfile", tmp_path / "authority" / "ca.crt", tmp_path / name / "own.crt")


def test_keys_are_for_their_owner_and_the_brokers_group_and_the_authoritys_for_its_owner_alone(tmp_path):
    keep(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*/own.key")} == {0o640}
    assert (tmp_path / "authority" / "ca.key").stat().st_mode & 0o777 == 0o600


def test_only_the_broker_is_a_server_and_it_is_no_client(tmp_path):
    keep(tmp_path)
    for name in NAMES:
        purposes = openssl("x509", "-in", tmp_path / name / "own.crt", "-noout", "-purpose")
        assert f"SSL server : {'Yes' if name == 'broker' else 'No'}\n" in purposes
        assert f"SSL client : {'No' if name == 'broker' else 'Yes'}\n" in purposes


def test_names_that_are_none_and_folders_that_cannot_be_written_are_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"^--each nobody: a certificate is that of broker, ingest[^\n]*$"):
        keep(tmp_path, ("broker", "nobody"))
    (tmp_path / "authority").write_bytes(b"a file")
    with pytest.raises(RunError, match=r"^cannot write certificates in [^\n]*$"):
        keep(tmp_path)

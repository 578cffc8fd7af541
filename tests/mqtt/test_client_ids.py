"""Ids by which services are known to a broker: kept over a restart, and not to be guessed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.mqtt.client_ids import KEY_FILE, ClientIds


def test_a_service_has_the_same_id_after_a_restart(tmp_path):
    assert ClientIds(tmp_path).of("zhurong-publish-in") == ClientIds(tmp_path).of("zhurong-publish-in")


def test_ids_of_two_folders_and_of_two_names_tell_nothing_of_each_other(tmp_path):
    one, other = ClientIds(tmp_path / "one"), ClientIds(tmp_path / "other")
    codes = {ids.of(name).removeprefix(f"{name}-") for ids in (one, other) for name in ("a-in", "a-out", "b-in")}
    assert len(codes) == 6
    assert all(len(code) * 4 >= 96 for code in codes)


def test_the_key_is_for_its_owner_alone(tmp_path):
    ClientIds(tmp_path)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_workers_that_share_a_folder_and_start_at_once_have_one_key(tmp_path):
    with ThreadPoolExecutor(16) as executor:
        ids = executor.map(lambda _: ClientIds(tmp_path / "state").of("decode-1-in"), range(64))
        assert len(set(ids)) == 1


@pytest.mark.parametrize("found", [b"", b"short"])
def test_a_key_that_was_cut_short_is_made_anew(tmp_path, found):
    (tmp_path / KEY_FILE).write_bytes(found)
    first = ClientIds(tmp_path).of("x")
    assert first == ClientIds(tmp_path).of("x")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"^cannot write in [^\n]*$"):
        ClientIds(tmp_path / "file" / "state")

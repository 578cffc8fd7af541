"""What is published is known after a restart, however much it is, and damage costs duplicates only."""

import random
import sqlite3

import pytest
from downlink_pipeline.services import published_keys as module
from downlink_pipeline.services.published_keys import PublishedKeys
from structlog.testing import capture_logs

NAMES = [f"key {i}" for i in range(1000)]
HOUR_MS = 3_600_000


@pytest.fixture
def filled(tmp_path, monkeypatch):
    """A file of a thousand keys, of which fifty are held in memory."""
    monkeypatch.setattr(module, "MAX_KEYS", 50)
    path = tmp_path / "published.keys"
    with PublishedKeys(path, 10) as keys:
        for start in range(0, 1000, 7):
            keys.add(NAMES[start : start + 7], 1_800_000_000_000 + start)
            keys.write()
        keys.add(["later"], 1_800_000_000_000 + HOUR_MS)
    return path


def test_more_keys_than_memory_holds_are_all_known_after_a_restart(filled):
    with PublishedKeys(filled, 10) as keys:
        assert [name for name in NAMES if name not in keys] == []
        assert "later" not in keys
        assert "another" not in keys
        assert len(keys._newest) <= 50


def test_keys_that_are_published_again_do_not_push_out_those_that_follow(filled):
    with PublishedKeys(filled, 10) as keys:
        fresh = []
        for name in NAMES:
            if name not in keys:
                fresh.append(name)
                keys.add([name], 1_800_000_000_000 + 2 * HOUR_MS)
    assert fresh == []


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_makes_no_key_known_that_was_not_published_and_the_file_stays_usable(filled, seed):
    chance = random.Random(seed)
    octets = bytearray(filled.read_bytes())
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    filled.write_bytes(octets)
    with capture_logs() as logs, PublishedKeys(filled, 10) as keys:
        lost = [name for name in NAMES if name not in keys]
        assert not any(f"never {i}" in keys for i in range(1000))
        keys.add(["new"], 1_900_000_000_000)
    assert len(lost) <= 2
    assert logs or len(lost) <= 1  # of one beyond those in memory the digest alone is looked at
    with PublishedKeys(filled, 0) as keys:
        assert "new" in keys


@pytest.mark.parametrize("left", [0, 1, 100, 4096, 5000, 30_000])
def test_a_file_that_is_cut_short_is_used_as_far_as_it_goes(filled, left):
    octets = filled.read_bytes()[:left]
    n_there = sum(module._digest(name) in octets for name in NAMES)
    filled.write_bytes(octets)
    with (
        capture_logs(),
        PublishedKeys(filled, 0) as keys,
    ):  # the last key is another one: none is forgotten
        assert sum(name in keys for name in NAMES) >= 0.5 * n_there  # the index of times has digests, too
        assert not any(f"never {i}" in keys for i in range(1000))
        keys.add(["new"], 1_900_000_000_000)
    with PublishedKeys(filled, 0) as keys:
        assert "new" in keys


def test_a_time_that_is_damaged_drops_the_key_and_is_told(filled):
    database = sqlite3.connect(filled)
    database.execute("update keys set when_ms = when_ms + 1 where when_ms < 1800000000007")
    database.commit()
    database.close()
    with capture_logs() as logs, PublishedKeys(filled, 10) as keys:
        lost = [name for name in NAMES if name not in keys]
    assert lost == NAMES[:7]
    assert {one["log_level"] for one in logs} == {"error"}


def test_keys_of_an_earlier_version_are_taken_over(tmp_path):
    path = tmp_path / "published.keys"
    digests = [module._digest(name) for name in NAMES]
    when = 1_700_000_000_000
    path.write_bytes(b"".join(one + (when + i).to_bytes(8, "big") for i, one in enumerate(digests)))
    with PublishedKeys(path, 0) as keys:
        assert len(keys) == 1000
        assert all(name in keys for name in NAMES)


def test_a_disk_that_does_not_take_keys_costs_no_data(filled):
    with PublishedKeys(filled, 10) as keys, capture_logs() as logs:
        keys._store._database.execute("pragma query_only = on")
        keys.add(["new"], 1_900_000_000_000)
        keys.write()
        assert "new" in keys
    assert logs[0]["event"] == "the published keys cannot be written"

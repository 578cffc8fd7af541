"""A recording that is damaged on disk: told, never read as if it were whole, never spliced."""

import random
import struct
from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.link.settings import LinkSettings
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.pass_folder import PassFolder
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.recordings.repair import repair, verify
from forked_commands import FORKED

SECOND = 1_000_000_000


def record(folder, pieces, *, name="pass", file_bytes=20_000, ended=True):
    recorder = Recorder(folder / "station", Policy(file_bytes=file_bytes, fsync_s=None))
    one = recorder.begin(SECOND, name)
    assert recorder.append(pieces, [SECOND * (i + 1) for i in range(len(pieces))]) == len(pieces)
    if ended:
        recorder.end()
    recorder.close()
    return one.path


def places(path):
    """Each batch of a recording with its place in the pass, by what is told to be missing."""
    place = 0
    for batch in read_pass(path, 3000):
        place += max(batch.missing, 0)
        yield place, batch
        place += len(batch.data)


def assert_right(path, truth):
    """Each byte stands where it stood in the pass; gives how many bytes are missing, and what is told."""
    n_read, told = 0, []
    for place, batch in places(path):
        told += [batch.damage] if batch.damage else []
        octets = batch.data.tobytes()
        assert octets == truth[place : place + len(octets)]
        n_read += len(octets)
    return len(truth) - n_read, told


@pytest.fixture(params=["of any length", "of one length"])
def pieces(request):
    """Pieces of one length are read many at a time."""
    chance = random.Random(1)
    lengths = [10, 1100, 5000] if request.param == "of any length" else [1115]
    return [chance.randbytes(chance.choice(lengths)) for _ in range(40)]


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_anywhere_gives_no_wrong_byte_and_is_told(tmp_path, pieces, seed):
    chance = random.Random(seed)
    path = record(tmp_path, pieces)
    file = chance.choice([file for _, file in PassFolder(path).files()])
    octets = bytearray(file.read_bytes())
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    file.write_bytes(octets)
    n_missing, told = assert_right(path, b"".join(pieces))
    assert told
    assert file.name in " ".join(told)
    assert n_missing <= 5000
    assert verify(path)


@pytest.mark.parametrize("seed", range(40))
def test_stretches_that_are_zeroed_cut_out_repeated_or_taken_off_give_no_wrong_byte_and_are_told(
    tmp_path, pieces, seed
):
    chance = random.Random(seed)
    path = record(tmp_path, pieces)
    file = chance.choice([file for _, file in PassFolder(path).files()])
    octets = file.read_bytes()
    at = chance.randrange(len(octets))
    n = chance.randint(1, 3000)
    ways = [
        octets[:at] + bytes(n) + octets[at + n :],
        octets[:at] + octets[at + n :],
        octets[:at] + octets[at : at + n] + octets[at:],
        octets[:at],
    ]
    file.write_bytes(ways[seed % 4])
    _, told = assert_right(path, b"".join(pieces))
    assert told


@pytest.mark.parametrize("which", [0, 1, -1], ids=["the first", "a middle", "the last"])
def test_a_file_that_is_missing_is_told_with_how_many_bytes(tmp_path, pieces, which):
    path = record(tmp_path, pieces)
    files = [*PassFolder(path).files(), (sum(map(len, pieces)), None)]
    n_of_it = files[which + 1 if which >= 0 else -1][0] - files[which if which >= 0 else -2][0]
    files[which if which >= 0 else -2][1].unlink()
    n_missing, told = assert_right(path, b"".join(pieces))
    assert n_missing == n_of_it
    assert len(told) == 1
    assert "missing" in told[0]


def test_a_recording_of_an_earlier_version_is_read_with_its_times(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    place = 0
    for data in (b"a" * 50, b"b" * 60):
        (folder / f"{place:015d}.raw").write_bytes(data)
        times = struct.pack("<QqQq", 0, SECOND + place, 20, 2 * SECOND + place)
        (folder / f"{place:015d}.raw.times").write_bytes(times)
        place += len(data)
    (folder / "ended").touch()
    batches = list(read_pass(folder))
    assert b"".join(batch.data.tobytes() for batch in batches) == b"a" * 50 + b"b" * 60
    assert [batch.mark_start.tolist() for batch in batches] == [[0, 20], [0, 20]]
    assert np.concatenate([batch.mark_ns for batch in batches]).tolist() == [
        SECOND, 2 * SECOND, SECOND + 50, 2 * SECOND + 50,
    ]  # fmt: skip
    assert verify(folder) == []


@pytest.mark.parametrize("damage", ["a middle file is missing", "a middle file is short", "times without bytes"])
def test_a_damaged_recording_of_an_earlier_version_is_read_as_far_as_it_goes_and_told(tmp_path, damage):
    folder = tmp_path / "old"
    folder.mkdir()
    for place in (0, 100, 200):
        (folder / f"{place:015d}.raw").write_bytes(bytes([place]) * 100)
        (folder / f"{place:015d}.raw.times").write_bytes(struct.pack("<Qq", 0, SECOND + place))
    middle = folder / f"{100:015d}.raw"
    n_missing = 0
    if damage == "a middle file is missing":
        middle.unlink()
        n_missing = 100
    elif damage == "a middle file is short":
        middle.write_bytes(middle.read_bytes()[:70])
        n_missing = 30
    else:
        (folder / f"{200:015d}.raw.times").write_bytes(
            struct.pack("<QqQq", 0, SECOND + 200, 150, 3 * SECOND) + bytes(19)
        )
    batches = list(read_pass(folder))
    assert sum(batch.missing for batch in batches) == n_missing
    assert sum(len(batch.data) for batch in batches) == 300 - n_missing
    assert any(batch.damage for batch in batches)


def test_a_repaired_recording_is_whole_and_tells_of_its_gap_and_the_original_is_kept(tmp_path, pieces):
    path = record(tmp_path, pieces)
    _, file = PassFolder(path).files()[1]
    octets = bytearray(file.read_bytes())
    octets[100] ^= 1
    file.write_bytes(octets)
    made = repair(path)
    assert made is not None
    repaired, original = made
    assert repaired == path
    assert (original / file.name).read_bytes() == bytes(octets)
    assert verify(repaired) == []
    n_missing, told = assert_right(repaired, b"".join(pieces))
    assert n_missing > 0
    assert len(told) == 1
    assert repair(path) is None


def test_a_whole_recording_is_whole(tmp_path, pieces):
    path = record(tmp_path, pieces)
    assert verify(path) == []
    assert assert_right(path, b"".join(pieces)) == (0, [])


def downlink(*arguments):
    return FORKED.run(*arguments)


def test_verify_names_file_and_bytes_and_ends_with_1_and_repair_mends(tmp_path, pieces):
    path = record(tmp_path, pieces)
    assert downlink("recordings", "verify", tmp_path).returncode == 0
    _, file = PassFolder(path).files()[0]
    octets = bytearray(file.read_bytes())
    octets[50] ^= 4
    file.write_bytes(octets)
    found = downlink("recordings", "verify", tmp_path)
    assert found.returncode == 1
    assert f"pass/{file.name}: bytes 0 to {48 + len(pieces[0])}: a checksum does not fit" in found.stdout
    assert found.stderr == "downlink: 1 of 1 recordings are damaged\n"
    mended = downlink("recordings", "repair", tmp_path)
    assert mended.returncode == 0
    assert "cut: " in mended.stdout
    assert downlink("recordings", "verify", tmp_path).returncode == 0


def rows_of(path, mission):
    """Each decoded packet by container, count and onboard time; the raw columns, and the quality."""
    line = ProcessingChain(mission, until="columns", raw=True)
    outcomes = [line.process(batch) for batch in read_pass(path, 1 << 18)]
    found = {}
    for batch in [one for outcome in [*outcomes, line.flush()] for one in outcome.columns]:
        plain = {name: column for name, column in batch.raw.items() if isinstance(column, np.ndarray)}
        for row in range(len(batch)):
            key = batch.container, int(batch.apid[row]), int(batch.seq_count[row]), int(batch.time_ns[row])
            found[key] = {name: column[row].tobytes() for name, column in plain.items()}, int(batch.quality[row])
    return found, line.report()


@pytest.mark.parametrize("framing", ["cadu", "packets"])
def test_what_comes_of_a_damaged_recording_is_right_and_the_report_names_each_damage(tmp_path, bundled, framing):
    mission = load_mission("zhurong")
    octets = (bundled / "clean.cadu").read_bytes()
    if framing == "packets":
        mission = replace(mission, link=LinkSettings(framing="packets"))
        octets = packets_of(bundled / "clean.cadu")
    path = record(tmp_path, [octets[at : at + 7000] for at in range(0, len(octets), 7000)], file_bytes=1 << 30)
    truth, whole = rows_of(path, mission)
    [(_, file)] = PassFolder(path).files()
    damaged = bytearray(file.read_bytes())
    for record_number in (3, 50, 51, 90):
        damaged[record_number * 7048 + 2000] ^= 16
    file.write_bytes(damaged)
    found, report = rows_of(path, mission)
    assert len(report["damaged"]) == 3
    assert report["packets"]["sequence_gaps"] > whole["packets"]["sequence_gaps"]
    assert len(truth) // 2 < len(found) < len(truth)
    assert [key for key, (values, quality) in found.items() if quality == 0 and truth[key][0] != values] == []
    assert found.keys() <= truth.keys()


def packets_of(path):
    """The space packets of a recording back to back."""
    line = ProcessingChain(load_mission("zhurong"), until="packets")
    batches = [line.process(batch).packets for batch in read_pass(path)]
    batches.append(line.flush().packets)
    return b"".join(
        batch.data[start : start + length].tobytes()
        for batch in batches
        for start, length in zip(batch.start, batch.length, strict=True)
    )

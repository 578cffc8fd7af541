"""A loss of power at any moment, in each fsync mode: 500 seeded ones each.

The disk is a model: what was not synced may be lost, torn, written out of order, or be zeros; names that were not
synced may be gone. Truth: each byte that is read stands where the sender sent it.
"""

import random

import pytest
from downlink_pipeline.recordings.disk import Disk, DiskFile
from downlink_pipeline.recordings.log import PassFolder, Policy, Recorder
from downlink_pipeline.recordings.log_reader import PassReader

N_LOSSES = 500
PAGE = 512
MODES = {"always": 0.0, "interval": 1.0, "never": None}
NAMED, UNNAMED = "feed", ""


class PowerIsGoneError(Exception):
    pass


class ModelFile:
    """Bytes as programs see them, and as they were at the last sync."""

    def __init__(self, disk):
        self.disk, self.now, self.synced, self.has_name = disk, bytearray(), b"", False

    @property
    def size(self):
        return len(self.now)

    def append(self, parts):
        self.disk.tick()
        self.now += b"".join(parts)

    def truncate(self, size):
        del self.now[size:]

    def sync(self):
        self.disk.tick()
        self.synced = bytes(self.now)

    def sync_copy(self):
        return self.sync

    def close(self):
        pass

    def after_loss(self, chance):
        """Some of the pages that were not synced, in any order; the file's length may be ahead of its bytes."""
        size = chance.choice([len(self.synced), len(self.now), chance.randint(len(self.synced), len(self.now))])
        found = bytearray(self.synced) + bytes(size - len(self.synced))
        for start in range(len(self.synced) // PAGE * PAGE, size, PAGE):
            if chance.random() < 0.6:
                stop = min(start + PAGE, size)
                found[start:stop] = self.now[start:stop]
        return bytes(found)


class ModelDisk(Disk):
    """Loses its power at the operation number `n_left`."""

    def __init__(self, n_left):
        self.n_left, self.files, self.small = n_left, {}, {}

    def tick(self):
        self.n_left -= 1
        if self.n_left < 0:
            raise PowerIsGoneError

    def open(self, path):
        return self.files.setdefault(path, ModelFile(self))

    def write(self, path, octets):
        self.tick()
        self.small[path] = octets

    def sync_folder(self, path):
        self.tick()
        for name, file in self.files.items():
            file.has_name |= path in name.parents

    def leave(self, chance):
        """Write what is left of it."""
        for path, file in self.files.items():
            if file.has_name or chance.random() < 0.7:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.after_loss(chance))
        for path, octets in self.small.items():
            left = chance.choice([None, b"", octets, octets])
            if left is not None and path.parent.is_dir():
                path.write_bytes(left)


class Unsynced(Disk):
    """The file system without the wait for the disk."""

    def open(self, path):
        file = DiskFile(path)
        file.sync = lambda: None
        return file

    def sync_folder(self, path):
        pass


def record_until_loss(folder, policy, chance, truth, name):
    """Record `truth` in pieces until the power is gone: what the sender was told to be recorded, and the disk."""
    disk = ModelDisk(chance.randint(3, 60))
    told = place = 0
    try:
        recorder = Recorder(folder / "model", policy, disk)
        recorder.begin(10**9, name)
        while place < len(truth):
            piece = truth[place : place + chance.choice([40, 700, 3000])]
            assert recorder.append([piece], [10**9 + place]) == 1
            place += len(piece)
            if chance.random() < 0.2:
                recorder.sync_copy()()
            told = max(told, recorder.n_durable)
        recorder.end()
        told = len(truth)
    except PowerIsGoneError:
        pass
    return told, disk


@pytest.mark.parametrize("name", [NAMED, UNNAMED], ids=["asks", "does not ask"])
@pytest.mark.parametrize("mode", MODES)
def test_after_a_loss_of_power_each_byte_that_is_read_is_right_and_what_is_missing_is_told(tmp_path, mode, name):
    policy = Policy(file_bytes=6000, fsync_s=MODES[mode])
    for seed in range(N_LOSSES):
        chance = random.Random(f"{mode} {name} {seed}")
        truth = chance.randbytes(chance.randint(1000, 30_000))
        folder = tmp_path / str(seed)
        told, disk = record_until_loss(folder, policy, chance, truth, name)
        disk.leave(chance)
        again = Recorder(folder / "model", policy, Unsynced())
        if again.open is None:
            if not again.passes():
                assert told == 0 or mode == "never", seed
                continue
            resumed = again.passes()[0]
            begin, after = resumed.n_bytes(), b""
        else:
            resumed, begin = again.open, again.n_bytes
            after = truth[begin:] if name else chance.randbytes(5000)
            if after:
                assert again.append([after[:900], after[900:]], [10**12, 10**12 + 1]) == 2
            again.end()
        assert begin >= told or mode == "never", seed
        expected = truth[:begin] + after
        found = bytearray(len(expected))
        missing = 0
        with PassReader(PassFolder(resumed.path)) as reader:
            place = 0
            while batch := reader.read(2000):
                missing += batch.missing != 0
                place = reader.position - len(batch.data)
                octets = batch.data.tobytes()
                assert octets == expected[place : place + len(octets)], (seed, place)
                found[place : place + len(octets)] = b"\1" * len(octets)
                assert (batch.mark_ns > 0).all(), seed
        assert found[begin:] == b"\1" * len(after), seed
        n_read = found.count(1)
        assert missing or n_read == len(expected), seed
        if name and mode != "never":
            assert n_read == len(truth), (seed, n_read, len(truth))
        if mode != "never":
            assert found[:told] == b"\1" * told, (seed, told)

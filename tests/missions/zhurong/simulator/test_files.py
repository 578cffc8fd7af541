import io
import resource
from contextlib import contextmanager

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator.files import npz, write_together
from downlink_pipeline.model.errors import RunError


@contextmanager
def full_disk():
    """No file may grow beyond 1,000 bytes; not for longer than the block, since pytest writes its own report."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_where_one_file_does_not_fit_none_is_left(tmp_path):
    with pytest.raises(RunError, match="large: cannot be written: File too large"), full_disk():
        write_together({tmp_path / "small": b"fits", tmp_path / "large": bytes(2000)})
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_before_stays_where_the_new_does_not_fit(tmp_path):
    (tmp_path / "pass").write_bytes(b"old")
    with pytest.raises(RunError), full_disk():
        write_together({tmp_path / "pass": bytes(2000)})
    assert (tmp_path / "pass").read_bytes() == b"old"


def test_numpy_reads_what_was_packed():
    arrays = {"field_nt": np.arange(6.0).reshape(2, 3), "text": np.array(["a", "\u4eca"])}
    with np.load(io.BytesIO(npz(arrays)), allow_pickle=False) as read:
        assert all(np.array_equal(read[name], values) for name, values in arrays.items())


def test_the_same_arrays_give_the_same_archive():
    assert npz({"a": np.arange(5)}) == npz({"a": np.arange(5)})

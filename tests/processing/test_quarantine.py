"""A batch that cannot be decoded is kept, or the reason is reported; the stream continues."""

from pathlib import Path

from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.processing.quarantine import write_quarantine


def test_the_bytes_are_kept_and_reported(tmp_path: Path) -> None:
    event = write_quarantine(ByteBatch.of(b"abc"), lambda: tmp_path / "deep" / "batch.bin", ValueError("odd"))
    assert (tmp_path / "deep" / "batch.bin").read_bytes() == b"abc"
    assert event.text == "3 bytes set aside: ValueError('odd')"
    assert event.details["file"] == str(tmp_path / "deep" / "batch.bin")


def test_a_disk_that_does_not_take_them_is_reported_and_does_not_raise(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    event = write_quarantine(ByteBatch.of(b"abc"), lambda: tmp_path / "file" / "batch.bin", ValueError("odd"))
    assert event.details["file"].startswith("not kept: ")

"""The script that compares what passes become before and after a change."""

import runpy
from pathlib import Path

from downlink_pipeline import open_pass

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "pass_digests.py"))
CADU_BYTES, FIRST = 1024, 60


def lines_of(recording: Path) -> list[str]:
    recorded = open_pass(recording, mission="zhurong")
    return [SCRIPT["packets"](recorded), *SCRIPT["products"](recorded)]


def test_a_frame_less_changes_the_lines_of_what_was_in_it(bundled: Path, tmp_path: Path) -> None:
    recording, content = tmp_path / "one.cadu", (bundled / "night.cadu").read_bytes()
    recording.write_bytes(content[: FIRST * CADU_BYTES])
    before = lines_of(recording)
    assert lines_of(recording) == before
    assert len(before) > 5
    recording.write_bytes(content[: (FIRST - 1) * CADU_BYTES])
    after = lines_of(recording)
    assert after[0] != before[0]
    assert set(before) & set(after[1:])


def test_files_have_the_digest_of_their_bytes_and_a_store_one_of_its_files(tmp_path: Path) -> None:
    """SHA-256 of "abc" as FIPS 180-4 has it in its examples."""
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    store = tmp_path / "products" / "one.zarr"
    store.mkdir(parents=True)
    (store / "c").write_bytes(b"abc")
    (tmp_path / "products" / "two.nc").write_bytes(b"abc")
    lines = f"c {abc}\n".encode()
    assert list(SCRIPT["files"](tmp_path)) == [
        f"products/one.zarr {len(lines)} {SCRIPT['sha256'](lines)}",
        f"products/two.nc 3 {abc}",
    ]

"""Print digests of all that recorded passes become: run it before and after a change, and compare with `diff`.

    python tests/pass_digests.py > before.txt

Of each pass a line for its packets, its report and its events, one for each kind of product (how many; ids and
payloads), and one for each file of `downlink products`, `decode` and `decode --raw`. Of the bundled passes, or of those
that are named: `MISSION=RECORDING ...`.
"""

import argparse
import hashlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from downlink_pipeline import RecordedPass, open_pass
from downlink_pipeline.commands.recordings import decode, write_products
from downlink_pipeline.messages.topics import product_message

BUNDLED = Path(__file__).resolve().parents[1] / "replay_data"


def digest_lines(recorded: RecordedPass) -> Iterator[str]:
    """Lines of one pass: what it is, how many, SHA-256."""
    yield f"packets {packets(recorded)}"
    if recorded.mission.plan is None:
        yield f"report {of_json(recorded.report())}"
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        of_pass = (recorded.paths, recorded.mission)
        report = write_products(*of_pass, folder / "products", lambda _: None, file_format="archive")
        for raw in (False, True):
            out = folder / ("decode-raw" if raw else "decode")
            decode(*of_pass, out, lambda _: None, file_format="npz", raw=raw)
        yield f"report {of_json(report)}"
        yield f"events {of_json([asdict(event) for event in recorded.events()])}"
        yield from (f"product {line}" for line in products(recorded))
        yield from (f"file {line}" for line in files(folder))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def of_json(content: object) -> str:
    return sha256(json.dumps(content, sort_keys=True, default=str).encode())


def packets(recorded: RecordedPass) -> str:
    digest, n_packets = hashlib.sha256(), 0
    for batch in recorded.packets():
        for start, length in zip(batch.start.tolist(), batch.length.tolist(), strict=True):
            digest.update(batch.data[start : start + length])
        n_packets += len(batch)
    return f"{n_packets} {digest.hexdigest()}"


def products(recorded: RecordedPass) -> Iterator[str]:
    """A line for each kind, with its products in the order in which they are published."""
    kinds: dict[str, list[bytes]] = {}
    for product in recorded.products():
        line = f"{product.id} {sha256(product_message(product).payload)}\n"
        kinds.setdefault(f"{product.instrument}/{product.product}", []).append(line.encode())
    for kind, lines in sorted(kinds.items()):
        yield f"{kind} {len(lines)} {sha256(b''.join(lines))}"


def files(folder: Path) -> Iterator[str]:
    """A line for each file, and one for each Zarr store, which is a folder of files."""
    for path in sorted(folder.glob("*/*")):
        inside = sorted(one for one in path.rglob("*") if one.is_file())
        lines = [f"{one.relative_to(path)} {sha256(one.read_bytes())}\n" for one in inside]
        content = "".join(lines).encode() if path.is_dir() else content_of(path)
        yield f"{path.relative_to(folder)} {len(content)} {sha256(content)}"


def content_of(path: Path) -> bytes:
    """The bytes of a file; of an SQLite file its statements, since the library's version is among its bytes."""
    if path.suffix != ".sqlite":
        return path.read_bytes()
    database = sqlite3.connect(path)
    content = "\n".join(database.iterdump()).encode()
    database.close()
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("passes", nargs="*", metavar="MISSION=RECORDING", help="the bundled passes without")
    wanted = parser.parse_args().passes or [f"zhurong={path}" for path in sorted(BUNDLED.glob("*.cadu"))]
    for one in wanted:
        mission, _, recording = one.partition("=")
        for line in digest_lines(open_pass(recording, mission=mission)):
            sys.stdout.write(f"{Path(recording).name} {line}\n")


if __name__ == "__main__":
    main()

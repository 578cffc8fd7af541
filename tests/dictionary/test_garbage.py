"""Whatever bytes come and however they are cut into batches: no exception, and the same rows."""

from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Ragged

HERE = Path(__file__).parent
FILES = sorted([*HERE.glob("cases/*/m/telemetry.xml"), *HERE.glob("data/*.xml")])


def described(batches):
    """By the packet's number its container, its quality and its values."""
    found = {}
    for batch in batches:
        for row, number in enumerate(batch.order.tolist()):
            values = {
                name: column.values[column.start[row] : column.start[row] + column.length[row]].tolist()
                if isinstance(column, Ragged)
                else column[row].tolist()
                for name, column in batch.columns.items()
            }
            found[number] = batch.container, int(batch.quality[row]), repr(values)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem if path.stem != "telemetry" else path.parts[-3])
@pytest.mark.parametrize("seed", range(3))
def test_noise_gives_the_same_rows_however_it_is_cut(path, seed, packet, batch):
    plan = compile_plan(read_xtce(path.read_bytes()))
    random = np.random.default_rng(seed)
    packets = []
    for count in range(60):
        most = 256 if random.random() < 0.5 else 4
        body = random.integers(0, most, int(random.integers(1, 60)), dtype=np.uint8).tobytes()
        whole = packet(body, apid=int(random.integers(1, 4)) | 0x800 * int(random.integers(2)), seq_count=count)
        packets.append(whole if random.random() < 0.9 else whole[: int(random.integers(1, 20))])
    together, apart = Decoder(plan, raw=True), Decoder(plan, raw=True)
    wanted = described(together.decode(batch(packets)))
    found, place = {}, 0
    while place < len(packets):
        n = int(random.integers(1, 6))
        found |= described(apart.decode(batch(packets[place : place + n])))
        place += n
    assert found == wanted
    assert apart.set_aside == together.set_aside
    assert len(found) + sum(apart.set_aside.values()) == len(packets)

"""What the tests of conversion build on: definitions written out, read by our own loader, and packets of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.conversion.formats import read_definition, write_definition
from downlink_pipeline.conversion.packets import batch_of, make_packets
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Ragged

sys.path.insert(0, str(Path(__file__).parent))  # where witness.py is


def plain(column, row):
    """One value of a column, as JSON has it."""
    if isinstance(column, Ragged):
        start, length = int(column.start[row]), int(column.length[row])
        return column.values[start : start + length].tolist()
    return np.asarray(column[row]).tolist()


class Carried:
    """A definition in another format, as XTCE that our loader has read."""

    def __init__(self, path, source_format=""):
        converted = read_definition([path], source_format)
        self.document, self.losses = write_definition(converted, "xtce", str(path))
        self.dictionary = read_xtce(self.document)
        self.plan = compile_plan(self.dictionary)

    def packets(self, n, seed=1, **options):
        made = make_packets(self.dictionary, self.plan, n, seed, **options)
        assert made.missing == ()
        return list(made.packets)

    def rows(self, packets):
        """For each packet its container, calibrated and raw values by name."""
        found = [None] * len(packets)
        for batch in Decoder(self.plan, raw=True).decode(batch_of(packets)):
            for row, place in enumerate(batch.order.tolist()):
                tables = [{name: plain(c, row) for name, c in t.items()} for t in (batch.columns, batch.raw)]
                found[place] = batch.container, *tables
        return found


@pytest.fixture
def carried(tmp_path):
    def made(name, text, source_format=""):
        path = tmp_path / name
        path.write_text(text)
        found = Carried(path, source_format)
        found.path = path
        return found

    return made

"""The same packets give the same products with the same ids, whatever the batches were."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.messages.topics import product_message
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import Product
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass

Decoded = Any
ORBITER = {"orbiter", "momag", "mms", "minpa", "mepa", "mosir", "moric", "hiric"}
"""Their products belong to no site."""


@pytest.mark.parametrize("chunk_bytes", [7_001, 65_536])
def test_any_chunk_size_gives_the_same_messages(damaged: Decoded, bundled: Path, chunk_bytes: int) -> None:
    line = ProcessingChain(load_mission("zhurong"), "test")
    found: list[Product] = []
    for batch in read_pass(bundled / "damaged.cadu", chunk_bytes):
        found += line.process(batch).products
    found += line.flush().products
    whole = {product.id: product_message(product).payload for product in damaged.products}
    assert len(whole) == len(damaged.products)
    assert {product.id: product_message(product).payload for product in found} == whole
    assert line.report() == damaged.report


def test_ids_differ_from_product_to_product(clean: Decoded) -> None:
    ids = [product.id for product in clean.products]
    assert len(set(ids)) == len(ids)


def test_every_product_has_its_times_units_and_origin(clean: Decoded) -> None:
    for product in clean.products:
        orbiter = product.instrument in ORBITER
        assert product.time.sol == (None if orbiter else (11, 11))
        assert (product.time.lmst_h is None) == orbiter
        assert {"dictionary_sha256", "calibration_sha256", "apid", "seq_count"} <= product.lineage.keys()
        n_rows = len(product.quality)
        for name, quantity in product.arrays.items():
            assert quantity.dims[:1] != ("row",) or len(quantity.values) == n_rows, name
            assert np.asarray(quantity.values).ndim == len(quantity.dims), name

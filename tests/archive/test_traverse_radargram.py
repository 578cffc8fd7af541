"""`products --traverse`: the runs of two passes in one file, and in coordinates of navigation's own products."""

from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.commands.recordings import write_products
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.missions.zhurong.gpr.radar_traverse import TraverseRadargram
from of_zhurong import origin


@pytest.fixture(scope="module")
def joined(products):
    """Of the bundled pass."""
    joiner = TraverseRadargram(load_mission("zhurong").site)
    joiner.add_products(products)
    return {one.product: one for one in joiner.finish()}


def test_both_channels_of_a_pass_are_joined(joined):
    assert set(joined) == {"traverse_high", "traverse_low"}


def test_places_are_those_of_the_traverse_at_the_same_time(joined, products):
    """Within what two seconds of driving (11 cm) and the rounding of positions make."""
    way = [one for one in products if one.product == "traverse"]
    times = np.concatenate([one.arrays["time_utc_ns"].values for one in way])
    for name in ("longitude_deg", "latitude_deg"):
        known = np.interp(
            joined["traverse_high"].arrays["time_utc_ns"].values.astype(float),
            times.astype(float),
            np.concatenate([one.arrays[name].values for one in way]),
        )
        assert joined["traverse_high"].arrays[name].values == pytest.approx(known, abs=2e-6)


def test_what_is_joined_becomes_files(joined, tmp_path):
    with product_files(tmp_path, origin("test", ("clean.cadu",), None), "netcdf") as files:
        files.add(joined.values())
    assert sorted(path.name.split("_")[2] for path in tmp_path.glob("*.nc")) == [
        "RoPeR-HF-TRV-HH",
        "RoPeR-LF-TRV-RI",
    ]


def test_the_command_joins_the_passes_that_it_is_given(tmp_path):
    folder = Path(__file__).parents[2] / "replay_data"
    report = write_products(
        [folder / "clean.cadu"],
        load_mission("zhurong"),
        tmp_path,
        lambda _: None,
        file_format="segy",
        traverse=True,
    )
    assert sum("-TRV-HH" in name for name in report["files"]) == 1
    assert sum("-TRV-RI" in name for name in report["files"]) == 1

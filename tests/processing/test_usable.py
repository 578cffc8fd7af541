"""Rows of a damaged pass that are called usable are those of the same pass without damage, bit for bit."""

import dataclasses

import numpy as np
import pytest
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.missions.zhurong.simulator import simulate
from downlink_pipeline.missions.zhurong.simulator.bundle import PASSES
from downlink_pipeline.missions.zhurong.simulator.scenario import Faults
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass

KINDS = {"weather/meteorology": "pressure_pa", "magnetometer/field": "field_a_sensor_nt", "gpr/low_frequency": "real",
         "gpr/high_frequency": "real", "libs/shot": "net_counts", "swir/radiance": "radiance"}  # fmt: skip


def rows(path):
    """By kind: {time on board: (values, quality, usable)}."""
    line = ProcessingChain(load_mission("zhurong"), "pass")
    made = [one for batch in read_pass(path) for one in line.process(batch).products]
    found = {kind: {} for kind in KINDS}
    for product in made + list(line.flush().products):
        kind = f"{product.instrument}/{product.product}"
        if kind in KINDS:
            reported = (product.arrays[name].values for name in ("time_onboard_ns", KINDS[kind]))
            for time, values, quality, usable in zip(*reported, product.quality, product.usable, strict=True):
                found[kind][int(time)] = (values, int(quality), bool(usable))
    return found


@pytest.fixture(scope="module")
def damaged(bundled):
    return rows(bundled / "damaged.cadu")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "pass.cadu"
    simulate(path, dataclasses.replace(PASSES["damaged.cadu"], faults=Faults()))
    return rows(path)


@pytest.mark.parametrize("kind", ["weather/meteorology", "gpr/low_frequency", "gpr/high_frequency"])
def test_usable_rows_are_those_of_the_pass_without_damage(kind, damaged, whole):
    wrong = [time for time, (values, _, usable) in damaged[kind].items()
             if usable and not np.array_equal(values, whole[kind][time][0], equal_nan=True)]  # fmt: skip
    assert damaged[kind]
    assert wrong == []


@pytest.mark.parametrize("kind", list(KINDS))
def test_far_more_rows_are_usable_than_have_no_bit_at_all(kind, damaged):
    usable = np.mean([one[2] for one in damaged[kind].values()])
    spotless = np.mean([one[1] == 0 for one in damaged[kind].values()])
    assert usable > max(0.6, 2 * spotless)

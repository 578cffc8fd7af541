"""SWAPI's sweeps and monitors, by dictionaries of 2023 and of 2025."""

import tomllib
from pathlib import Path

import downlink_imap.swapi
import numpy as np
import pytest
from downlink_imap.swapi.kinds import MONITORS, STATES
from downlink_imap.swapi.swapi import Swapi
from downlink_pipeline.api import Context, Quality
from downlink_pipeline.clock.onboard import OnboardClock
from downlink_pipeline.testing import rows_of

SETTINGS = tomllib.loads((Path(downlink_imap.swapi.__file__).parent / "calibration.toml").read_text())


@pytest.fixture
def made():
    swapi = Swapi(SETTINGS, Context("imap", "test", OnboardClock(0)))
    return lambda container, columns: next(iter(swapi.drafts(rows_of(container, columns))))


def sweep(container, numbers, prefix="", plan="PLAN_ID", **changed):
    """Packets of a sweep: their counts are their own numbers."""
    columns = {f"{cem}_CNT{k}": np.array(numbers, np.uint16) for cem in ("PCEM", "SCEM", "COIN") for k in range(6)}
    columns |= {name.replace("CNT", "RNG_ST"): np.full(len(numbers), "RAW") for name in columns}
    columns |= {"SEQ_NUMBER": numbers, "SWEEP_TABLE": [4] * len(numbers), plan: [7] * len(numbers)}
    columns |= {"MODE": ["HVSCI"] * len(numbers), "ESA_LVL5": [4000] * len(numbers), **changed}
    return container, {prefix + name: np.asarray(values) for name, values in columns.items()}


def old(numbers, **changed):
    return sweep("P_SWP_SCI", numbers, plan="PLAN_ID_SCIENCE", **changed)


def test_twelve_packets_are_a_sweep_of_72_steps_in_order(made):
    draft = made(*old(range(12)))
    assert draft.arrays["primary_counts"].tolist() == [np.repeat(np.arange(12.0), 6).tolist()]
    assert draft.quality.tolist() == [0]
    assert draft.arrays["plan_id"].tolist() == [7]


def test_steps_of_a_packet_that_did_not_come_are_nan_and_the_sweep_is_flagged(made):
    draft = made(*old([0, 1, *range(3, 12)]))
    assert np.flatnonzero(np.isnan(draft.arrays["coincidence_counts"][0])).tolist() == list(range(12, 18))
    assert draft.quality.tolist() == [int(Quality.FRAGMENT)]


def test_a_compressed_count_is_of_sixteen_and_an_overflow_is_none(made):
    ranges, counts = np.full(12, "RAW", "U4"), np.arange(12, dtype=np.uint16)
    ranges[[3, 5]], counts[5] = "COMP", 65535
    draft = made(*old(range(12), PCEM_RNG_ST0=ranges, PCEM_CNT0=counts))
    first = draft.arrays["primary_counts"][0].reshape(12, 6)[:, 0]
    assert (first[2], first[3]) == (2.0, 48.0)
    assert np.isnan(first[5])
    assert draft.quality.tolist() == [int(Quality.SATURATED)]


def test_the_analysers_level_has_two_gains(made):
    draft = made(*old(range(12), ESA_LVL5=[4000] * 11 + [5000]))
    assert draft.arrays["analyser_v"][0, [0, 11]] == pytest.approx(
        [-2.1546 + 0.25039566 * 4000, 2246.439], rel=1e-4
    )


def test_the_dictionary_of_2025_gives_the_same_sweep(made):
    """Its names have the container before them, and its voltages are calibrated."""
    new = made(*sweep("SWP_SCI", range(12), "SWP_SCI.", ESA_LVL5=np.full(12, 999.5)))
    assert new.arrays["primary_counts"].tolist() == made(*old(range(12))).arrays["primary_counts"].tolist()
    assert new.arrays["analyser_v"].tolist() == [[999.5] * 12]


def test_monitors_that_a_dictionary_has_calibrated_stay_as_they_are(made):
    columns = {f"SWP_HK.{column}": [-5.25] for column, *_ in MONITORS.values()}
    columns |= {f"SWP_HK.{column}": [3] for column, _ in STATES.values()}
    draft = made("SWP_HK", columns)
    assert {name: draft.arrays[name].tolist() for name in MONITORS} == {name: [-5.25] for name in MONITORS}


def test_monitors_of_the_shorter_packets_of_2023_are_without_those_of_the_analysers_supply(made):
    columns = {column: [100] for name, (column, *_) in MONITORS.items() if "5V_ESA" not in column}
    columns |= {column: [3] for column, _ in STATES.values() if column != "PLAN_ID"} | {"PLAN_ID_HK": [2]}
    draft = made("P_SWP_HK", columns)
    assert "analyser_plus_5_v" not in draft.arrays
    assert draft.arrays["plan_id"].tolist() == [2]
    assert draft.arrays["sensor_temperature_degc"] == pytest.approx([130.7272213247 - 23.66468093699516])

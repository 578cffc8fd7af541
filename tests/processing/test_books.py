"""The books of the bundled passes close: what is missing is exactly what the faults took."""

from typing import Any

import numpy as np
import pytest

Decoded = Any
PRODUCTS = {
    "navigation": [("rover", "navigation")],
    "engineering": [("rover", "engineering")],
    "event": [("rover", "event")],
    "gpr_hf": [("gpr", "high_frequency"), ("gpr", "high_frequency_self_test")],
    "gpr_lf": [("gpr", "low_frequency"), ("gpr", "low_frequency_self_test")],
    "weather": [("weather", "meteorology")],
    "sound": [("weather", "sound")],
    "magnetometer": [("magnetometer", "field")],
}


def test_frames_are_counted_as_the_simulator_sent_and_damaged_them(decoded: Decoded) -> None:
    sent, frames = decoded.told["frames_received"], decoded.report["frames"]
    channel, orbiter = decoded.report["channels"]
    for key in ("read", "clean", "corrected", "uncorrectable", "other_channel"):
        assert frames[key] == sent[key], key
    assert frames["failed_check"] == 0
    assert channel["frames"] == sent["relay"]
    assert channel["duplicates"] == sent["relay_duplicates"]
    assert channel["lost_frames"] == sent["relay_missing"]
    assert (orbiter["frames"], orbiter["lost_frames"]) == (sent["orbiter"], 0)


def test_bytes_between_frames_are_counted_as_skipped(decoded: Decoded) -> None:
    garbage = sum(length for _, length in decoded.told["faults"]["noise"])
    assert decoded.report["bytes"] == {"read": decoded.told["bytes"], "skipped": garbage}


def test_packets_that_are_missing_are_those_the_faults_took(decoded: Decoded) -> None:
    sent, taken = decoded.told["packets_sent"], decoded.told["faults"]["packets_taken"]
    for apid, n_sent in sent.items():
        n_taken = sum(1 for one, _ in taken if one == int(apid))
        if apid != "2047":
            assert decoded.report["packets"]["by_apid"][apid] == n_sent - n_taken


@pytest.mark.parametrize("container", sorted(PRODUCTS))
def test_records_that_are_missing_are_those_the_faults_took(decoded: Decoded, container: str) -> None:
    names = PRODUCTS[container]
    found = np.unique(np.concatenate([decoded.rows(*name, "time_utc_ns") for name in names if decoded.of(*name)]))
    per_packet = {"weather": 10, "magnetometer": 32}.get(container, 1)
    true = decoded.truth[f"{container}_time_utc_ns"][np.repeat(decoded.arrived(container), per_packet)]
    np.testing.assert_array_equal(found, np.unique(true))


def test_the_clean_pass_has_no_gap_and_no_event_of_the_link(clean: Decoded) -> None:
    assert clean.report["packets"]["sequence_gaps"] == 0
    assert clean.report["records"]["broken"] == 0
    assert clean.report["records"]["set_aside"] == {}
    assert {event.kind for event in clean.events} == {"clock", "dust_devil"}  # what instruments found


def test_each_gap_of_the_damaged_pass_is_an_event(damaged: Decoded) -> None:
    channel, _ = damaged.report["channels"]
    gaps = [event for event in damaged.events if event.kind == "gap"]
    assert len(gaps) == channel["gaps"]
    assert sum(event.details["lost_frames"] for event in gaps) == channel["lost_frames"]

"""A correlation is the same after it was written to a file and loaded by a mission; all problems are reported."""

import shutil
from pathlib import Path

import pytest
from downlink_pipeline.clock.correlation import Correlation
from downlink_pipeline.clock.correlation_file import text_of
from downlink_pipeline.clock.onboard import ClockSegment, OnboardClock
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
EPOCH_NS = 1_451_577_600_000_000_000
START, NEXT = 170_338_800_601_000_000, 170_427_575_845_000_000
SOL_11_NS, SOL_12_NS, LATER_NS = 1_621_916_400_601_000_123, 1_622_005_175_845_000_000, 1_622_100_000_000_000_000
CLOCK = OnboardClock(
    EPOCH_NS,
    (
        ClockSegment(START, SOL_11_NS, 1.0000023, 1, 170_428_000_000_000_000, 310_000, 2e-7),
        ClockSegment(NEXT, SOL_12_NS, 1.0000021, 1, 170_428_000_000_000_000, 310_000),
        ClockSegment(5_000_000_000, LATER_NS, 1.0, 2, 90_000_000_000, 300_000),
    ),
)


@pytest.fixture
def mission(tmp_path):
    """Zhurong with a correlation file; gives a function that loads it with this text."""
    folder = tmp_path / "zhurong"
    shutil.copytree(CONFIGS / "zhurong", folder)
    path = folder / "mission.toml"
    path.write_text(path.read_text().replace("[clock]", '[clock]\ncorrelation = "clock.toml"', 1))

    def load(text):
        if text is not None:
            (folder / "clock.toml").write_text(text)
        return load_mission(str(folder))

    return load


@pytest.fixture
def text():
    return text_of(CLOCK, Correlation((), *(None,) * 3), "zhurong")


def reported(load, text):
    with pytest.raises(ConfigError) as caught:
        load(text)
    return [(Path(one.file).name, one.line, one.key) for one in caught.value.problems]


def test_a_correlation_comes_out_of_its_file_as_it_went_in(mission, text):
    assert mission(text).clock == CLOCK
    assert mission(text).clock.correlation_id == CLOCK.correlation_id


def test_a_file_that_is_not_there_is_reported(mission):
    assert reported(mission, None) == [("clock.toml", 0, "")]


def test_every_wrong_value_is_reported_with_its_line(mission, text):
    wrong = text.replace("rate = 1.0000023", "rate = 2.0").replace("partition = 2", "partition = -2")
    lines = wrong.splitlines()
    assert reported(mission, wrong) == [
        ("clock.toml", lines.index("rate = 2.0") + 1, "segment.0.rate"),
        ("clock.toml", lines.index("partition = -2") + 1, "segment.2.partition"),
    ]


def test_a_value_changed_by_hand_is_noticed_by_the_id(mission, text):
    assert reported(mission, text.replace("1.0000021", "1.0000022")) == [("clock.toml", 4, "id")]


def test_a_time_that_there_is_not_and_segments_out_of_order_are_reported_together(mission, text):
    wrong = text.replace("2021-05-25T04:20:00", "2021-02-30T04:20:00").replace("170427575845000000", "1")
    assert [key for _, _, key in reported(mission, wrong)] == ["segment.0.utc", "segment.1.onboard_ns"]


def test_a_correlation_of_another_epoch_is_refused(mission):
    other = text_of(OnboardClock(0, CLOCK.segments), Correlation((), *(None,) * 3), "zhurong")
    [(file, _, key)] = reported(mission, other)
    assert (file, key) == ("mission.toml", "clock.correlation")

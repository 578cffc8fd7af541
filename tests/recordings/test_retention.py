"""Old passes are deleted by the times in the recordings; a clock that is wrong deletes nothing."""

import pytest
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.pass_folder import Committed
from downlink_pipeline.recordings.retention import Retention
from structlog.testing import capture_logs

DAY_S = 86_400
DAY_NS = DAY_S * 10**9
TODAY_NS = 20_000 * DAY_NS
YEAR = 365


@pytest.fixture
def station(tmp_path):
    """Record settled passes, so many days after TODAY_NS each."""
    recorder = Recorder(tmp_path / "station", Policy(fsync_s=None))

    def record(*days):
        for day in days:
            one = recorder.begin(TODAY_NS + int(day * DAY_NS), f"day{day}")
            recorder.append([b"x" * 1000], [TODAY_NS + int(day * DAY_NS)])
            recorder.end()
            one.commit(Committed(1000, closed=True))
        return recorder

    return record


def forget(recorder, days, *, keep_days=30, uptime=lambda: 0.0, retention=None):
    retention = retention or Retention(None, keep_days * DAY_S, uptime)
    with capture_logs() as logs:
        gone = [name for name, _ in retention.delete_expired(recorder.passes(), TODAY_NS + int(days * DAY_NS))]
    return gone, [line["reason"] for line in logs]


def test_passes_older_than_they_are_kept_are_deleted(station):
    assert forget(station(0, 10, 20, 35), 35)[0] == ["day0"]


@pytest.mark.parametrize("keep_days", [1, 30, 364])
def test_a_clock_that_jumps_by_a_year_deletes_nothing_and_is_told(station, keep_days):
    gone, told = forget(station(0, 0.1, 0.2), 0.3 + YEAR, keep_days=keep_days)
    assert gone == []
    assert told == ["the clock is far from the newest recording: their age is not reckoned by it"]


def test_what_is_recorded_after_a_jump_deletes_nothing_before_it(station):
    gone, told = forget(station(0, 1, YEAR + 2), YEAR + 2)
    assert gone == []
    assert len(told) == 1


def test_what_is_before_a_long_rest_goes_when_the_time_since_is_as_long_as_passes_are_kept(station):
    assert forget(station(0, 1, YEAR, YEAR + 20, YEAR + 31), YEAR + 31)[0] == ["day0", "day1", f"day{YEAR}"]


def test_a_clock_that_goes_back_deletes_nothing(station):
    assert forget(station(0, 10, 20), -YEAR)[0] == []


def test_a_jump_of_a_few_days_while_it_runs_deletes_nothing(station):
    recorder = station(0, 1, 2)
    retention = Retention(None, 5 * DAY_S, iter([0.0, 1.0, 2.0, 6.0 * DAY_S]).__next__)
    assert forget(recorder, 2, retention=retention) == ([], [])
    gone, told = forget(recorder, 9, retention=retention)
    assert gone == []
    assert told == [f"the clock jumped by {7 * DAY_S - 1} s"]
    assert forget(recorder, 9, retention=retention) == ([], [])
    assert forget(recorder, 15, retention=retention)[0] == ["day0", "day1", "day2"]


@pytest.mark.parametrize("content", [b"", b"0", b"{", b'{"begun_ns": 1, "id": 3, "resumable": false}'])
def test_a_pass_whose_beginning_is_spoilt_is_as_old_as_its_bytes(station, content):
    recorder = station(0, 1, 2)
    (recorder.passes()[1].path / "begun").write_bytes(content)
    assert forget(recorder, 2)[0] == []


def test_a_pass_of_which_nothing_tells_when_it_began_is_kept_and_told(station, tmp_path):
    recorder = station(20, 31, 60)
    empty = tmp_path / "station" / "unknown"
    empty.mkdir()
    (empty / "ended").touch()
    recorder.passes()[0].commit(Committed(0, closed=True))
    gone, told = forget(recorder, 60)
    assert gone == ["day20"]
    assert told == [f"{empty}: it is not known when it began"]


def test_a_jumped_clock_deletes_nothing_for_its_size_beyond_the_limit(station):
    recorder = station(0, 1, 2)
    retention = Retention(2500, None)
    assert [name for name, _ in retention.delete_expired(recorder.passes(), TODAY_NS + YEAR * DAY_NS)] == ["day0"]

"""Pictures of a pass: what is drawn is what the simulator measured, and a file needs nothing else to be seen."""

import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from downlink_pipeline.commands import recordings as app
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME, Event, Quality
from downlink_pipeline.pictures import link
from downlink_pipeline.pictures import series as gathering
from downlink_pipeline.pictures.panels import panel_of
from downlink_pipeline.pictures.panels import panels_of as all_panels_of
from downlink_pipeline.pictures.series import Gathering
from downlink_pipeline.pictures.style import SETTINGS
from downlink_pipeline.pictures.summary import PassSummary
from matplotlib import rc_context
from matplotlib.figure import Figure


@pytest.fixture(scope="module")
def found(products):
    gathered = Gathering()
    gathered.add(products)
    return {(one.instrument, one.product): one for one in gathered.series()}


@pytest.fixture(scope="module")
def truth(bundled):
    with np.load(bundled / "clean.cadu.truth.npz") as arrays:
        return dict(arrays)


KINDS = load_mission("zhurong").kinds


def first(instrument, product):
    """The first panel of a kind."""
    return panel_of(KINDS[f"{instrument}/{product}"].view[0])


def panels_of(series):
    return all_panels_of(series, 30, KINDS)


def drawn(panel, series):
    axes = Figure().subplots()
    panel.draw(axes, series)
    return axes


def test_the_pressure_that_is_drawn_is_the_one_that_was_measured(found, truth):
    kind = ("weather", "meteorology")
    (line, *_) = drawn(first(*kind), found[kind]).lines
    true_pa = truth["weather_pressure_pa"].ravel()
    assert len(line.get_ydata()) == len(true_pa)
    np.testing.assert_allclose(line.get_ydata(), true_pa, atol=0.5)


def test_the_way_that_is_drawn_ends_where_the_rover_stood(found, truth):
    kind = ("rover", "navigation")
    (line, *_) = drawn(first(*kind), found[kind]).lines
    north_m, east_m, _ = truth["rover_position_ned_m"][-1] - truth["rover_position_ned_m"][0]
    moved = np.array([line.get_xdata()[-1] - line.get_xdata()[0], line.get_ydata()[-1] - line.get_ydata()[0]])
    np.testing.assert_allclose(moved, [east_m, north_m], atol=0.05)


def test_every_axis_has_its_unit(found):
    for panel, series in panels_of(list(found.values())):
        axes = drawn(panel, series)
        if axes.axison:
            assert axes.get_xlabel(), panel.title
            assert axes.get_ylabel(), panel.title


def test_rows_that_are_flagged_are_marked_and_corrected_ones_are_not(found):
    series = found["weather", "meteorology"]
    quality = np.zeros_like(series.quality)
    quality[3], quality[5:9], quality[20] = Quality.SATURATED, Quality.CORRECTED, Quality.AFTER_GAP
    flagged = gathering.Series(**{name: getattr(series, name) for name in series.__slots__} | {"quality": quality})
    *_, marks = drawn(first("weather", "meteorology"), flagged).lines
    np.testing.assert_array_equal(marks.get_xdata().astype("datetime64[ns]").astype(np.int64), series.utc_ns[[3]])


def changed(series, **fields):
    return gathering.Series(**{name: getattr(series, name) for name in series.__slots__} | fields)


def test_a_line_is_interrupted_where_rows_are_missing_and_a_band_says_so(found):
    series = found["weather", "meteorology"]
    later = series.utc_ns.copy()
    later[100:] += 180_000_000_000
    axes = drawn(first("weather", "meteorology"), changed(series, utc_ns=later))
    pressure = np.asarray(axes.lines[0].get_ydata())
    assert np.flatnonzero(np.isnan(pressure)).tolist() == [100]
    assert len(axes.patches) == 1


def test_a_path_is_interrupted_where_rows_are_missing(found):
    series = found["rover", "navigation"]
    later = series.utc_ns.copy()
    later[50:] += 1_000_000_000_000
    path = drawn(first("rover", "navigation"), changed(series, utc_ns=later)).lines[0]
    assert np.flatnonzero(np.isnan(np.asarray(path.get_xdata(), float))).tolist() == [50]


def test_rows_without_a_clock_are_drawn_by_their_number_and_not_in_1970(found):
    series = found["weather", "meteorology"]
    no_time = np.full_like(series.utc_ns, NO_TIME)
    untimed = changed(series, utc_ns=no_time, received_ns=np.zeros_like(no_time), product="other")
    ((panel, _), *_) = panels_of([untimed])
    axes = drawn(panel, untimed)
    assert axes.get_xlabel() == "row number (no onboard time)"
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == list(range(len(series.utc_ns)))


NOTHING = {"gaps": 0, "lost_frames": 0}


def words(events, n_breaks=0, **channel):
    axes = Figure().subplots()
    link.gaps(axes, {"channels": [NOTHING | channel], "packets": {"sequence_gaps": n_breaks}}, events)
    return "\n".join(text.get_text() for text in axes.texts)


def test_no_gap_is_reported_only_if_none_is_counted():
    assert words([]) == "no gap, no event"
    lost = Event("warning", "gap", "relay: 1 frame lost")
    assert words([lost], gaps=1, lost_frames=1) == "events without a receive time:\ngap: relay: 1 frame lost"
    assert words([], gaps=3, lost_frames=7) == "3 gaps in all, 7 frames lost"
    assert words([], n_breaks=2) == "sequence counts of packets do not follow on 2 times"
    timed = Event("warning", "gap", "relay: 1 frame lost", 1_600_000_000_000_000_000)
    assert words([timed, lost], gaps=2, lost_frames=2) == "without a receive time: 1 gap"
    assert words([timed], gaps=1, lost_frames=1) == ""


def test_an_event_of_onboard_time_is_drawn_where_it_was_received():
    ns = 1_600_000_000_000_000_000
    axes = Figure().subplots()
    report = {"channels": [NOTHING], "packets": {"sequence_gaps": 0}}
    limit = Event("warning", "limit", "hot", ns - 10**12, {"onboard_ns": 5, "received_ns": ns})
    link.gaps(axes, report, [limit])
    assert axes.lines[0].get_xdata().astype("datetime64[ns]").astype(np.int64).tolist() == [ns]
    unreceived = Event("warning", "limit", "hot", ns, {"onboard_ns": 5, "received_ns": None})
    assert words([unreceived]).startswith("events without")


def test_a_file_of_packets_has_a_bar_for_each_apid_and_no_frames():
    report = {"frames": {"read": 0}, "channels": [], "packets": {"read": 9, "by_apid": {"5": 7, "11": 2}}}
    (title, draw), *_ = PassSummary("m/s", "", report, (), ()).panels()
    axes = Figure().subplots()
    draw(axes)
    assert title == "Packets by APID"
    assert [bar.get_width() for bar in axes.patches] == [7, 2]


def test_powers_of_ten_are_written_as_powers():
    with rc_context(SETTINGS):
        axes = Figure().subplots()
        link.corrected_symbols(axes, {"frames": {"corrected_symbols": {"0": 10_000, "16": 100}}})
        assert all(label.get_parse_math() for label in axes.get_yticklabels())


def test_one_event_gives_no_axis_of_years():
    axes = Figure().subplots()
    report = {"channels": [NOTHING | {"gaps": 1}], "packets": {"sequence_gaps": 0}}
    link.gaps(axes, report, [Event("warning", "gap", "lost", 1_600_000_000_000_000_000)])
    first, last = axes.get_xlim()
    assert (last - first) * 86_400 < 60


def test_a_dollar_in_a_name_begins_no_formula(found, tmp_path):
    series = found["weather", "meteorology"]
    ((panel, _), *_) = panels_of([changed(series, instrument="a$b", product="c$d[x]")])
    axes = Figure().subplots()
    axes.set_title(panel.title)
    axes.figure.savefig(tmp_path / "drawn.png")
    assert panel.title.startswith(r"a\$b/c\$d[x]: ")


def test_an_unknown_kind_is_drawn_all_the_same(found):
    series = found["weather", "meteorology"]
    other = gathering.Series(**{name: getattr(series, name) for name in series.__slots__} | {"product": "other"})
    ((panel, _), *_) = panels_of([other])
    (line, *_) = drawn(panel, other).lines
    np.testing.assert_array_equal(line.get_ydata(), series.values(series.latest[0]))


def test_a_very_long_pass_is_thinned_and_says_so(products):
    gathered = Gathering(max_bytes=200_000)
    gathered.add(products)
    (series,) = (one for one in gathered.series() if (one.instrument, one.product) == ("magnetometer", "field"))
    all_rows = sum(
        len(one.quality) for one in products if one.product == "field" and one.instrument == "magnetometer"
    )
    assert series.thinned >= 2
    assert len(series.quality) < all_rows
    assert series.n_products == sum(
        1 for one in products if (one.instrument, one.product) == ("magnetometer", "field")
    )


@pytest.fixture(scope="module")
def files(bundled, tmp_path_factory):
    out = tmp_path_factory.mktemp("pictures")
    app.plot([bundled / "damaged.cadu"], load_mission("zhurong"), out, lambda _: None)
    return out


def test_a_pass_becomes_a_page_a_pdf_and_a_report(files):
    assert (files / "damaged.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (files / "damaged.pdf").read_bytes()[:5] == b"%PDF-"
    text = (files / "damaged.html").read_text()
    assert "zhurong/damaged" in text
    assert "4 frames lost" in text  # an event
    assert "<td>weather</td><td>meteorology</td>" in text


def test_the_report_asks_nobody_for_anything(files):
    text = (files / "damaged.html").read_text()
    assert {source[:22] for source in re.findall(r'src=[\'"]([^\'"]*)', text)} == {"data:image/png;base64,"}
    assert not re.search(r"<script|<link|@import|url\(", text)


def test_the_same_pass_gives_the_same_files(files, bundled, tmp_path):
    app.plot([bundled / "damaged.cadu"], load_mission("zhurong"), tmp_path, lambda _: None)
    for path in files.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_events_of_a_recording_without_receive_times_have_those_of_insert_zones_and_the_page_says_so(
    bundled, tmp_path
):
    (tmp_path / "bare.cadu").write_bytes((bundled / "damaged.cadu").read_bytes())
    _, report = app.plot([tmp_path / "bare.cadu"], load_mission("zhurong"), tmp_path, lambda _: None)
    assert sum(channel["gaps"] for channel in report["channels"]) > 0
    page = (tmp_path / "bare.html").read_text()
    assert re.search(r"<td>2021-05-26T08:45:\d\d\.\d{3}</td><td>received</td><td>warning</td><td>gap</td>", page)
    assert "received 2021-05-26T08:45:26Z to 2021-05-26T08:45:43Z by the insert zones" in page


def test_an_empty_pass_has_a_page_too(tmp_path):
    (tmp_path / "none.cadu").write_bytes(b"")
    paths, _ = app.plot([tmp_path / "none.cadu"], load_mission("zhurong"), tmp_path, lambda _: None)
    assert all(path.stat().st_size > 1000 for path in paths)


def test_without_matplotlib_the_command_to_install_it_is_reported(bundled, tmp_path):
    code = "import sys; sys.modules['matplotlib'] = None\nfrom downlink_pipeline.cli.main import main; main()"
    command = [sys.executable, "-c", code, "plot", bundled / "clean.cadu", "-m", "zhurong", "--out", tmp_path]
    reported = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert reported.returncode == 2
    assert reported.stderr.startswith("downlink: pictures need matplotlib")
    assert reported.stderr.count("\n") == 1

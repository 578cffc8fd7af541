"""What is counted is shown, what is shown is counted, and it is said once."""

import json
import re
from pathlib import Path

import pytest
import yaml
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.ingest import Ingest
from downlink_pipeline.services.metrics import DecodeMeters, IngestMeters, PublishMeters
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.tcp import Arrival
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "docker" / "grafana" / "dashboards").glob("*.json"))


@pytest.fixture
def meters():
    """Of all three stages in one process."""
    first = IngestMeters()
    return first, DecodeMeters(first), PublishMeters(first)


def test_every_metric_on_a_dashboard_is_counted_and_every_one_counted_is_on_a_dashboard(meters):
    shown = {
        name
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", ())
        for name in re.findall(r"downlink_\w+", target.get("expr", ""))
    }
    families = {
        line.split()[2]: line.split()[3] for line in meters[0].text().decode().splitlines() if "# TYPE" in line
    }
    wanted = {
        f"{name}_bucket" if kind == "histogram" else name
        for name, kind in families.items()
        if not name.endswith("_created")
    }
    assert shown == wanted


def test_stages_in_one_process_count_in_one_register_without_saying_a_name_twice(meters):
    families = [family.name for family in text_string_to_metric_families(meters[0].text().decode())]
    assert len(families) == len(set(families)) > 20
    assert meters[0].text() == meters[2].text()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_has_panels_apart_from_each_other_with_sources_that_are_provisioned(path):
    told = json.loads(path.read_text())
    panels = told["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells))
    sources = (ROOT / "docker" / "grafana" / "provisioning" / "datasources" / "downlink.yml").read_text()
    for panel in panels:
        for target in panel.get("targets", ()):
            assert f"uid: {target['datasource']['uid']}," in sources


def test_ingest_tells_how_far_behind_it_is_and_what_is_out(tmp_path):
    class Silent:
        n_lost = 3

    desk = StationRecorder("s", Recorder(tmp_path, Policy()), Policy(), Pace())
    made = IngestMeters()
    ingest = Ingest({"s": (desk, Silent())}, None, made, gap_s=10.0, fsync_s=None)
    desk.record(Arrival([b"x" * 100], [1]))
    ingest._measure(desk, Silent())
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(made.text().decode())
        for sample in family.samples
        if sample.labels.get("station") == "s"
    }
    assert samples["downlink_lag_bytes"] == 100
    assert 0 <= samples["downlink_lag_seconds"] < 5
    assert samples["downlink_lost_datagrams"] == 3
    assert samples["downlink_unconfirmed_bytes"] == 0
    desk.recorder.close()


def test_decode_tells_frames_losses_and_corrections_of_a_report(bundled):
    from downlink_pipeline.mission.loading import load_mission  # noqa: PLC0415
    from downlink_pipeline.processing.chain import ProcessingChain  # noqa: PLC0415

    line = ProcessingChain(load_mission("zhurong"), until="packets")
    line.process(ByteBatch.of((bundled / "damaged.cadu").read_bytes()))
    line.flush()
    report = line.report()
    made = DecodeMeters()
    made.report("s", report)
    text = made.text().decode()
    assert f'downlink_frames{{fate="corrected",station="s"}} {float(report["frames"]["corrected"])}' in text
    lost = sum(channel["lost_frames"] for channel in report["channels"])
    assert lost > 0
    assert f'downlink_lost_frames{{station="s"}} {float(lost)}' in text
    assert 'downlink_corrected_symbols{station="s"} 0.0' not in text


def test_every_alert_is_on_what_is_counted_and_says_what_is_wrong(meters):
    counted = {line.split()[2] for line in meters[0].text().decode().splitlines() if "# TYPE" in line} | {"up"}
    told = yaml.safe_load((ROOT / "docker" / "alerts.yml").read_text())
    rules = [rule for group in told["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    for rule in rules:
        assert set(re.findall(r"\bup\b|downlink_\w+", rule["expr"])) <= counted
        assert rule["annotations"]["summary"]

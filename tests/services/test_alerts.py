"""Each standstill is told within 30 s: the alert rules, their metrics, and promtool's own check of the rules."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from downlink_pipeline.services.metrics import DecodeMeters, IngestMeters, PublishMeters

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "docker" / "alerts.yml"
MAX_FOR_S = 20
UNITS = {"s": 1, "m": 60, "h": 3600}
STANDSTILLS = {
    "a service is gone": ("ServiceIsGone", 'up{job="downlink", instance="ingest"}', "0", "1"),
    "the broker is away": ("BrokerIsAway", "downlink_broker_connected", "0", "1"),
    "publish is away": ("PublishIsAway", "downlink_publish_away", "1", "0"),
    "decode is away, or nothing is confirmed": (
        "PassIsStalled",
        'downlink_stalled_passes{station="live"}',
        "1",
        "0",
    ),
    "the broker refuses products": ("BrokerRefusesProducts", "downlink_refused_topics", "1", "0"),
    "the broker refuses stage messages": (
        "BrokerRefusesService",
        'downlink_stage_trouble{stage="decode"}',
        "1",
        "0",
    ),
    "a disk is full, fails, or a share is used up": ("DiskIsFull", 'downlink_disk_full{station="live"}', "1", "0"),
    "positions cannot be written": ("PositionsAreNotKept", 'downlink_positions_failed{station="live"}', "1", "0"),
    "keys cannot be written": ("KeysAreNotKept", "downlink_keys_failed", "1", "0"),
    "a recording is damaged": ("RecordingIsDamaged", 'downlink_damaged_passes{station="live"}', "1", "0"),
    "the readers' broker is away": ("ReadersBrokerIsAway", 'downlink_broker_answers{broker="readers"}', "0", "1"),
}


def rules():
    return {
        rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    }


@pytest.mark.parametrize("standstill", STANDSTILLS)
def test_the_rule_of_a_standstill_waits_for_20_s_at_most(standstill):
    waits = rules()[STANDSTILLS[standstill][0]].get("for", "0s")
    assert int(waits[:-1]) * UNITS[waits[-1]] <= MAX_FOR_S


def test_every_metric_of_a_rule_is_one_that_a_service_has():
    known = "".join(meters().text().decode() for meters in (IngestMeters, DecodeMeters, PublishMeters))
    named = {name for rule in rules().values() for name in re.findall(r"downlink_[a-z_]+", rule["expr"])}
    assert len(named) > 10
    assert [name for name in named if f"# TYPE {name} " not in known] == []


@pytest.fixture
def promtool():
    found = shutil.which("promtool")
    assert found, "no promtool: apt-get install prometheus"
    return found


@pytest.mark.witness
def test_promtool_takes_the_rules(promtool):
    checked = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.witness
def test_each_standstill_fires_within_30_s_and_no_rule_before(promtool, tmp_path):
    series, tests = [], []
    for alert, metric, bad, good in STANDSTILLS.values():
        series.append({"series": metric, "values": f"{good}x11 {bad}x20"})  # from 60 s on, each 5 s
        tests += [{"eval_time": "55s", "alertname": alert, "exp_alerts": []}]
        labels = dict(re.findall(r'(\w+)="(\w+)"', metric))
        tests += [{"eval_time": "90s", "alertname": alert, "exp_alerts": [{"exp_labels": labels}]}]
    shown = rules()
    for one in tests:
        for expected in one["exp_alerts"]:
            summary = shown[one["alertname"]]["annotations"]["summary"]
            expected["exp_annotations"] = {"summary": filled(summary, expected["exp_labels"])}
    content = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "5s",
        "tests": [{"interval": "5s", "input_series": series, "alert_rule_test": tests}],
    }
    path = tmp_path / "tests.yml"
    path.write_text(yaml.safe_dump(content))
    checked = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def filled(summary, labels):
    """A summary as Prometheus fills it in, of a value of 1."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels.get(found[1], ""), summary)
    return text.replace("{{ $value }}", "1")

"""What docs/operations.md and docker-compose.yml say is what the commands know."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from downlink_pipeline.cli.main import cli
from downlink_pipeline.commands import asyncapi
from downlink_pipeline.commands.catalogue import catalogue
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.system import certs

ROOT = Path(__file__).parents[2]
TOLD = (ROOT / "docs" / "operations.md").read_text()
SHORT = {"DOWNLINK_TLS_CERT": "`_CERT`", "DOWNLINK_TLS_KEY": "`_KEY`", "DOWNLINK_KEEP_DAYS": "`DOWNLINK_KEEP_DAYS`"}


def variables(command):
    """Of a command and those below it."""
    for parameter in command.params:
        yield from [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
    for below in getattr(command, "commands", {}).values():
        yield from variables(below)


def of_compose():
    return set(re.findall(r"DOWNLINK_[A-Z_]+", (ROOT / "docker-compose.yml").read_text()))


def test_every_variable_of_a_service_and_of_the_compose_file_is_told():
    known = set(variables(typer.main.get_command(cli))) | of_compose()
    assert len(known) > 25
    assert [name for name in sorted(known) if SHORT.get(name, f"`{name}") not in TOLD] == []


def test_the_compose_file_passes_on_every_variable_of_a_stage():
    stage = typer.main.get_command(cli).commands["stage"]
    fixed = {"DOWNLINK_STATE", "DOWNLINK_WORKER"}  # of the image; of the container's own name
    assert set(variables(stage)) - fixed - of_compose() == set()


@pytest.mark.parametrize("stage", ["ingest", "all", "decode", "publish", "history"])
def test_every_stage_takes_its_mission_by_an_option(stage):
    """As compose files and units write it: `stage ingest -m M`; a wrong mission is one line and status 2."""
    command = [sys.executable, "-m", "downlink_pipeline", "stage", stage, "-m", "no-such-mission"]
    command += ["--source", "stdin:"] if stage in {"ingest", "all"} else []
    command += ["--history", "x"] if stage == "history" else []
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "no-such-mission" in ended.stderr
    assert "No such option" not in ended.stderr


def published_topics():
    """Topics of a stream, as levels, by the AsyncAPI document: `+` stands for what varies."""
    channels = asyncapi.document(load_mission("zhurong"), catalogue(load_mission("zhurong")))["channels"].values()
    found = {re.sub(r"\{\w+\}", "+", one["address"]) for one in channels}
    return {one for one in found if "/status/" not in one and not one.endswith("/control")}


def allows(rules, way, topic):
    """Does an access list allow `way` ("read", "write", or a bridge's "") of a topic?"""
    filters = re.findall(rf"^topic (?:{way} )?(\S+)(?: in 1)?$", rules.replace("{m}", "zhurong"), re.MULTILINE)
    patterns = [re.escape(one).replace(r"\+", "[^/]+").replace(r"\#", ".+") for one in filters]
    return any(re.fullmatch(one, topic) for one in patterns)


def test_access_lists_let_every_published_topic_through():
    """A topic that the broker refuses to publish stops its whole stream."""
    topics = published_topics()
    assert len(topics) > 50
    refused = [
        one for one in topics if not allows(certs.PUBLISHING, "write", one) and not one.endswith("/progress")
    ]
    unread = [one for one in topics if not allows(certs.READING, "read", one)]
    outside = [
        (name, one)
        for name, way in (("readers.acl", "read"), ("readers.conf", ""))
        for one in topics
        if not allows((ROOT / "docker" / name).read_text(), way, one)
    ]
    assert (refused, unread, outside) == ([], [], [])

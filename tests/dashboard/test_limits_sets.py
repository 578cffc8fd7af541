"""Limits sets of a COSMOS definition (`LIMITS DEFAULT`, `LIMITS TVAC`): carried, chosen by the mission or on the page.

What applies follows limits_parser.rb and limits.rb of OpenC3: an item without limits of the chosen set has those of
DEFAULT; a value that reaches a limit is beyond it.
"""

import struct
from functools import partial

import numpy as np
import pytest
from downlink_pipeline.commands.parameter_limits import parameter_limits
from downlink_pipeline.commands.tabs import known_missions
from downlink_pipeline.conversion.formats import read_definition, write_definition
from downlink_pipeline.conversion.packets import batch_of
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard.parameters_look import ParametersLook
from downlink_pipeline.dashboard.selection import Asked, Selection, read_address
from downlink_pipeline.dashboard.state import State
from test_parameters import feed, product

COSMOS = """
TELEMETRY INST HEALTH BIG_ENDIAN "Health"
  APPEND_ITEM CCSDSVER 3 UINT
  APPEND_ITEM CCSDSTYPE 1 UINT
  APPEND_ITEM CCSDSSHF 1 UINT
  APPEND_ID_ITEM CCSDSAPID 11 UINT 3
  APPEND_ITEM CCSDSFLAGS 2 UINT
  APPEND_ITEM CCSDSSEQ 14 UINT
  APPEND_ITEM CCSDSLEN 16 UINT
  APPEND_ITEM TEMP 16 INT
    LIMITS DEFAULT 1 ENABLED -80 -70 60 80
    LIMITS TVAC 1 ENABLED -80 -30 30 80
  APPEND_ITEM VOLT 16 UINT
    LIMITS DEFAULT 1 ENABLED 10 20 30 40
"""
MISSION = 'name = "sat"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "sat.xml"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sat")
    (folder / "tlm.txt").write_text(COSMOS)
    converted = read_definition([folder / "tlm.txt"])
    assert converted.losses == ()
    document, lost = write_definition(converted, "xtce", "sat.xml")
    assert lost == ()
    (folder / "sat.xml").write_bytes(document)
    return folder


@pytest.fixture(scope="module")
def mission_by(folder):
    def mission(limits_set):
        choice = f'limits_set = "{limits_set}"\n' if limits_set else ""
        (folder / "mission.toml").write_text(MISSION + choice)
        return load_mission(str(folder))

    return mission


def packet(count, temp, volt):
    return struct.pack(">HHHhH", 0x0003, 0xC000 | count, 3, temp, volt)


@pytest.mark.parametrize(
    ("limits_set", "levels"),
    [
        ("", [("TEMP", "warning"), ("TEMP", "critical"), ("VOLT", "critical")]),
        ("DEFAULT", [("TEMP", "warning"), ("TEMP", "critical"), ("VOLT", "critical")]),
        ("TVAC", [("TEMP", "warning"), ("TEMP", "critical"), ("VOLT", "critical")]),
    ],
)
def test_events_follow_the_limits_set_of_the_mission(mission_by, limits_set, levels):
    """Temperatures of 0, 30, 60, 80: by TVAC the second is beyond a limit, by DEFAULT the third."""
    decoder = Decoder(mission_by(limits_set).plan)
    rows = [packet(k, *values) for k, values in enumerate([(0, 25), (30, 25), (60, 25), (80, 9)])]
    where = []
    for k, row in enumerate(rows):
        list(decoder.decode(batch_of([row])))
        where += [(k, one.details["parameter"], one.details["level"]) for one in decoder.drain_events()]
    assert [found[1:] for found in where] == levels
    assert where[0][0] == (1 if limits_set == "TVAC" else 2)


def test_a_limits_set_that_there_is_not_is_one_line_with_its_key(mission_by):
    with pytest.raises(ConfigError, match=r'mission\.toml:6: dictionary\.limits_set: .*"COLD": DEFAULT, TVAC$'):
        mission_by("COLD")


def test_a_history_gives_the_limits_of_the_set_of_the_mission(mission_by):
    bands = parameter_limits(mission_by("TVAC"))["HEALTH.TEMP"]
    assert {(one["level"], one["low"], one["high"]) for one in bands} == {
        ("warning", -30, 30),
        ("critical", -80, 80),
    }


def test_a_dictionary_that_is_written_again_keeps_its_limits_sets(folder):
    again, _ = write_definition(read_definition([folder / "sat.xml"]), "xtce", "again.xml")
    assert again.count(b'parameterRef="/INST/LIMITS_SET" value="TVAC"') == 1
    assert b'name="LIMITS_SET"' in again
    assert b'label="TVAC"' in again


@pytest.fixture
def stream(mission_by):
    known = known_missions([mission_by("")])
    columns = {"TEMP": np.array([10, 40], np.int16), "VOLT": np.array([25, 25], np.uint16)}
    health = partial(product, kind="telemetry/HEALTH", apid=3, container="/INST/HEALTH")
    return feed(State(unpack_product, missions=known), health(0, columns))


def ends(look):
    """The ends of the ranges that are drawn."""
    (figure,) = look._plot._drawn
    return [
        (band.low, band.high, band.level) for band in figure.drawn[0].bands if band.low > -1e9 and band.high < 1e9
    ]


@pytest.mark.parametrize(
    ("limits_set", "is_warned", "drawn"),
    [
        ("", False, [(-80, -70, "warning"), (60, 80, "warning")]),
        ("TVAC", True, [(-80, -30, "warning"), (30, 80, "warning")]),
    ],
)
def test_the_page_draws_and_judges_by_the_set_that_is_chosen(stream, limits_set, is_warned, drawn):
    look = ParametersLook(Selection(chosen=["HEALTH/TEMP"], limits_set=limits_set))
    look.refresh(stream, 1.0)
    assert ends(look) == drawn
    assert ("▲ warning" in look._table.root.tags[0]) == is_warned
    assert f"limits of the set {limits_set or 'DEFAULT'}" in look._plot._caption.root.tags[0]


def test_a_set_is_chosen_with_the_pointer_and_stands_in_the_address(stream):
    look = ParametersLook(Selection(chosen=["HEALTH/TEMP"]))
    look.refresh(stream, 1.0)
    assert look._limits.visible
    assert [name for name, _ in look._limits.options] == ["DEFAULT", "TVAC"]
    look._limits.value = "TVAC"
    assert ends(look) == [(-80, -30, "warning"), (30, 80, "warning")]
    assert "limits=TVAC" in Asked(selection=look.selection).query()
    assert read_address({"limits": ["TVAC"]}).selection.limits_set == "TVAC"
    look._limits.value = "DEFAULT"
    assert "limits" not in Asked(selection=look.selection).query()

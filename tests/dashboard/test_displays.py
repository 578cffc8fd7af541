"""Displays of a mission's folder in a browser: tabs that follow the files, what they draw, how one is made."""

import pytest
from downlink_pipeline.commands import live_page as app
from downlink_pipeline.commands.displays import displays_of
from downlink_pipeline.commands.recordings import describe
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.mqtt.broker import broker as broker_at

pytest.importorskip("bokeh", reason="bokeh is not installed")
from driving import look, model, publish
from test_parameters import columns, product
from test_plot import click
from test_reach import BESIDE, TABS
from waiting import until

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
POWER = """\
title = "Power"
[[panel]]
kind = "plot"
title = "Bus"
parameters = ["HK/TEMP", "HK/COUNT"]
[[panel]]
kind = "value"
parameters = ["HK/MODE", "HK/NEVER"]
[[panel]]
kind = "table"
parameters = ["HK/COUNT", "HK/TEMP"]
"""
XTCE = """<?xml version="1.0"?>
<SpaceSystem name="SAT" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
<ParameterTypeSet><FloatParameterType name="t" sizeInBits="32"><UnitSet/><FloatDataEncoding sizeInBits="32"/>
<DefaultAlarm><StaticAlarmRanges><WarningRange minInclusive="1" maxInclusive="3"/><CriticalRange minInclusive="0"
maxInclusive="4"/></StaticAlarmRanges></DefaultAlarm></FloatParameterType></ParameterTypeSet>
<ParameterSet><Parameter name="TEMP" parameterTypeRef="t"/></ParameterSet>
<ContainerSet><SequenceContainer name="HK"><EntryList><ParameterRefEntry parameterRef="TEMP"/></EntryList>
</SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>
"""
MISSION = """\
name = "sat"
[link]
framing = "packets"
[dictionary]
xtce = "sat.xml"
"""
LINE = "[...Bokeh.documents[0]._all_models.values()].findLast((one) => one.name === 'display_0_parameter_line')"
"""Of the display as it is now: the models of what was there before may be among those of the page."""
TITLES = f"{TABS}.filter((one) => one.offsetWidth > 0).map((one) => one.textContent).join()"
TEXT = "Bokeh.index.find_one({}).markup_el.innerText"


@pytest.fixture
def mission(tmp_path):
    folder = tmp_path / "sat"
    (folder / "displays").mkdir(parents=True)
    (folder / "mission.toml").write_text(MISSION)
    (folder / "sat.xml").write_text(XTCE)
    (folder / "displays" / "power.toml").write_text(POWER)
    return load_mission(str(folder))


async def test_a_display_is_a_tab_that_follows_its_file(chromium, mission):
    file = mission.folder / "displays" / "power.toml"
    async with broker_at(None) as address, app.dashboard(address, port=0, missions=[mission]) as served:
        await until(lambda: served.state.connected)  # it has subscribed: products are not retained
        await publish(address, [product(0, columns(), container="/SAT/HK")])
        tab = await chromium.open(f"{served.url}?look=Power")
        await tab.until(f"{TITLES} == 'Pass,Parameters,Packets,Events,Power'")
        await tab.until(f"{LINE}?.data.value.length == 10")
        values = TEXT.format(model("display_1_value"))
        assert "NOMINAL" in await tab.until(f"{values}.includes('NOMINAL') && {values}")
        assert "not here yet: HK/NEVER" in await tab.run(values)
        rows = f"[...Bokeh.index.find_one({model('display_2_table')}).markup_el.querySelectorAll('[data-pick]')]"
        assert await tab.run(f"{rows}.map((one) => one.dataset.pick).join()") == "HK/COUNT,HK/TEMP"

        bands = (
            f"{model('display_0_parameter_figures')}.children[0].center.filter((one) => one.name === 'alarm_band')"
        )
        ends = "[one.bottom, one.top].map((end) => typeof end === 'number' ? end : null)"
        assert await tab.run(f"{bands}.map((one) => [one.tags[0], ...{ends}])") == [
            ["critical", None, 0], ["warning", 0, 1], ["warning", 3, 4], ["critical", 4, None],
        ]  # fmt: skip

        file.write_text(POWER.replace("Power", "Energy").replace('"HK/TEMP", ', ""))
        await tab.until(f"{TITLES} == 'Pass,Parameters,Packets,Events,Energy'")
        await tab.until(f"{LINE}.tags[0] == 'HK/COUNT'")
        file.write_text(POWER.replace('"value"', '"dial"'))
        problems = TEXT.format(model("display_problems"))
        assert "power.toml:7: panel.1.kind" in await tab.until(
            f"{model('display_problems')} != null && {problems}.includes('dial') && {problems}"
        )
        file.unlink()
        await tab.until(f"{TITLES} == 'Pass,Parameters,Packets,Events'")
        await saved(tab, file)
        await tab.until(f"{TITLES} == 'Pass,Parameters,Packets,Events,My display'")
        await look(tab, "my display")
        await tab.until(f"{LINE}.tags[0] == 'HK/TEMP' && {LINE}.data.value.length == 10")
        await tab.resize((390, 844))
        await tab.until(f"{BESIDE}.length == 0")
        assert await tab.run("errors") == []


async def saved(tab, file):
    """What was chosen on the page, put into the mission's folder by a person."""
    await look(tab, "parameters")
    await tab.run(f"{model('acted')}.value = '900 draw HK/TEMP'")
    await tab.run(f"{model('acted')}.value = '901 pin HK/COUNT'")
    await tab.until(f"{model('save_display')}.tags[0].includes('HK/COUNT')")
    await click(tab, "save_display")
    found = await tab.until("window.downlink_display")
    assert not file.exists()  # the page writes nothing into the folder
    file.write_text(found)


def test_a_mission_is_checked_with_its_displays(mission):
    """Of the display two parameters are not in the dictionary."""
    with pytest.raises(ConfigError) as raised:
        displays_of(mission)
    assert [(one.line, one.key) for one in raised.value.problems] == [
        (5, "panel.0.parameters"), (8, "panel.1.parameters"), (8, "panel.1.parameters"), (11, "panel.2.parameters"),
    ]  # fmt: skip
    (mission.folder / "displays" / "power.toml").write_text('[[panel]]\nkind = "value"\nparameters = ["HK/TEMP"]\n')
    assert describe(mission, displays_of(mission))["displays"] == ["power (power.toml)"]

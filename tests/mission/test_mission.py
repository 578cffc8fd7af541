"""A mission's files: read whole, and every mistake in them told at once with file, line and key."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.mission.dictionary_files import known_extensions
from downlink_pipeline.mission.loading import find_mission, load_mission
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.passes import with_origin

ZHURONG = Path(__file__).resolve().parents[2] / "configs" / "zhurong"
FRAMES = """
name = "test"

[link]
framing = "frames"
frame_type = "aos"
frame_length_bytes = 220

[[channel]]
spacecraft_id = 1
virtual_channel = 2
name = "one"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mission.toml").write_text(FRAMES)
    return tmp_path


def problems(folder: Path, text: str) -> list[tuple[int, str]]:
    (folder / "mission.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_mission(str(folder))
    return [(problem.line, problem.key) for problem in caught.value.problems]


def test_a_mission_is_found_by_its_folder(folder: Path) -> None:
    assert load_mission(str(folder)).channels[0].virtual_channel == 2


@pytest.mark.parametrize(
    "name", ["zhurong", "suomi-npp", "change-5", "tianwen-2", "stereo-a", "emirates-mars", "jpss-1"]
)
def test_each_mission_of_the_house_is_valid(name: str) -> None:
    assert load_mission(name).name == name


def test_the_low_rate_of_zhurong_is_a_profile_with_frames_of_220_bytes() -> None:
    assert load_mission("zhurong").link.frame_length_bytes == 892
    assert load_mission("zhurong:low-rate").link.frame_length_bytes == 220


def test_an_unknown_mission_names_those_that_are_there() -> None:
    with pytest.raises(ConfigError, match="suomi-npp"):
        find_mission("voyager")


def test_an_unknown_profile_names_those_that_are_there() -> None:
    with pytest.raises(ConfigError, match="low-rate"):
        load_mission("zhurong:fast")


def test_a_folder_without_a_mission_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mission\.toml: cannot be read"):
        load_mission(str(tmp_path))


def test_three_mistakes_are_three_problems_with_their_lines(folder: Path) -> None:
    text = FRAMES.replace("frame_length_bytes = 220", "frame_length_byte = 220").replace("= 2\n", "= 64\n")
    assert problems(folder, text + '\n[dictionary]\nxtce = "absent.xml"\n') == [
        (7, "link.frame_length_byte"),
        (11, "channel.0.virtual_channel"),
        (15, "dictionary.xtce"),
    ]


def test_an_unknown_key_is_answered_with_the_near_one(folder: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean frame_length_bytes"):
        (folder / "mission.toml").write_text(FRAMES.replace("frame_length_bytes", "frame_length_byts"))
        load_mission(str(folder))


def test_text_that_is_no_toml_is_told_with_its_line(folder: Path) -> None:
    assert problems(folder, FRAMES.replace('framing = "frames"', "framing = frames")) == [(5, "")]


def test_a_missing_table_is_named(folder: Path) -> None:
    assert problems(folder, 'name = "test"\n') == [(0, "link")]


def test_a_frame_length_that_no_codeword_has_is_refused(folder: Path) -> None:
    text = FRAMES.replace('framing = "frames"', 'framing = "cadu"').replace(
        "frame_length_bytes = 220",
        'frame_length_bytes = 220\nreed_solomon = { parity = 32, interleave = 1, basis = "dual" }',
    )
    assert problems(folder, text) == [(7, "link.frame_length_bytes")]


def test_the_same_channel_twice_is_refused(folder: Path) -> None:
    text = FRAMES + '\n[[channel]]\nspacecraft_id = 1\nvirtual_channel = 2\nname = "again"\n'
    assert problems(folder, text) == [(16, "channel.1.virtual_channel")]


def test_frames_without_a_channel_are_refused(folder: Path) -> None:
    assert problems(folder, FRAMES[: FRAMES.index("[[channel]]")])[0][1] == "channel"


def test_a_name_that_is_no_topic_level_is_refused(folder: Path) -> None:
    assert problems(folder, FRAMES.replace('"test"', '"te/st"')) == [(2, "name")]


def test_an_instrument_that_is_not_there_is_named_with_those_that_are(folder: Path) -> None:
    (folder / "mission.toml").write_text(FRAMES + '\n[products]\ninstruments = ["seismometer"]\n')
    with pytest.raises(ConfigError, match=r"no instrument 'seismometer': .*magnetometer"):
        load_mission(str(folder))


def test_an_epoch_that_is_no_time_is_told(folder: Path) -> None:
    clock = '\n[clock]\nepoch = "yesterday"\nterms = [{ parameter = "T", unit_ns = 1 }]\n'
    assert problems(folder, FRAMES + clock) == [(15, "clock.epoch")]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00" * 10])
def test_a_mission_file_of_other_bytes_is_one_problem(folder: Path, content: bytes) -> None:
    (folder / "mission.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_mission(str(folder))
    assert len(caught.value.problems) == 1


def test_a_wrong_key_does_not_hide_what_else_is_wrong(folder: Path) -> None:
    text = FRAMES.replace("[link]", "[link]\nrandomizer = true\nbogus = 1").replace("id = 1", "id = 5000")
    clock = '\n[clock]\nepoch = "yesterday"\nterms = [{ parameter = "T", unit_ns = 1 }]\n'
    assert problems(folder, text + clock) == [
        (5, "link.randomizer"),
        (6, "link.bogus"),
        (12, "channel.0.spacecraft_id"),
        (17, "clock.epoch"),
    ]


def test_a_clock_of_parameters_that_are_not_there_is_told(folder: Path, real_data: Path) -> None:
    text = f'\n[dictionary]\nxtce = "{real_data}/jpss-1/geolocation.xml"\n'
    clock = '\n[clock]\nepoch = "1958-01-01"\nterms = [{ parameter = "GONE", unit_ns = 1 }]\n'
    assert problems(folder, FRAMES + text + clock) == [(19, "clock.terms")]


def test_what_only_other_frames_have_is_refused(folder: Path) -> None:
    text = FRAMES.replace('"aos"', '"tm"\ninsert_zone_bytes = 8')
    assert problems(folder, text) == [(7, "link.insert_zone_bytes")]


def test_a_column_that_an_instrument_reads_and_the_dictionary_lacks_is_named(tmp_path):
    shutil.copytree(ZHURONG, tmp_path / "zhurong")
    xtce = tmp_path / "zhurong" / "telemetry.xml"
    text = xtce.read_text()
    entry = text.index('<ParameterRefEntry parameterRef="ACCUMULATION"/>', text.index('name="MINPA"'))
    xtce.write_text(text[:entry] + text[text.index("/>", entry) + 2 :])
    with pytest.raises(ConfigError, match="minpa reads ACCUMULATION of MINPA, which the dictionary does not have"):
        load_mission(str(tmp_path / "zhurong"))


@pytest.mark.parametrize("name", ["zhurong/", "zhurong//", "zhurong/:low-rate", "zhurong:low-rate", "zhurong"])
def test_a_name_is_found_with_and_without_a_slash_at_its_end(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_mission(name) == (ZHURONG, "low-rate" if "low-rate" in name else "")


@pytest.mark.parametrize("name", ["zhurong", "zhurong/", "zhurong:low-rate"])
def test_another_folder_of_that_name_does_not_hide_a_mission(name: str, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "zhurong").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_mission(name)[0] == ZHURONG


def test_a_mission_in_the_working_directory_goes_before_one_of_that_name(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "zhurong").mkdir()
    (tmp_path / "zhurong" / "mission.toml").write_text(FRAMES)
    monkeypatch.chdir(tmp_path)
    assert load_mission("zhurong").name == "test"
    assert load_mission("zhurong/").name == "test"


def test_the_mission_file_itself_names_its_mission(folder: Path) -> None:
    assert find_mission(str(folder / "mission.toml")) == (folder, "")


@pytest.mark.parametrize("name", ["", "/", "a" * 5000])
def test_what_no_folder_can_be_called_is_no_mission(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        load_mission(name)


@pytest.mark.parametrize(("line", "simulated"), [("", False), ("simulated = true\n", True)])
def test_a_mission_file_says_whether_all_its_telemetry_is_a_simulators(
    folder: Path, line: str, *, simulated: bool
) -> None:
    (folder / "mission.toml").write_text(line + FRAMES)
    mission = load_mission(str(folder))
    assert mission.simulated is simulated
    assert ProcessingChain(mission).mission.lineage["simulated"] is simulated


def test_recordings_with_their_truth_beside_them_are_simulated(folder: Path) -> None:
    mission, recording = load_mission(str(folder)), folder / "pass.cadu.zst"
    assert not with_origin(mission, [recording]).simulated
    (folder / "pass.cadu.truth.json").touch()
    assert with_origin(mission, [folder / "other.cadu", recording]).simulated
    assert not mission.simulated


def test_a_dictionary_may_be_in_a_folder_that_an_environment_variable_names(folder, tmp_path, monkeypatch) -> None:
    (tmp_path / "theirs").mkdir()
    shutil.copy(ZHURONG / "telemetry.xml", tmp_path / "theirs" / "a.xml")
    (folder / "mission.toml").write_text(FRAMES + '\n[dictionary]\nxtce = ["$TEST_DICTIONARIES/a.xml"]\n')
    monkeypatch.setenv("TEST_DICTIONARIES", str(tmp_path / "theirs"))
    assert tmp_path / "theirs" / "a.xml" in load_mission(str(folder)).files


def test_an_environment_variable_that_is_not_set_is_named_with_its_line(folder, monkeypatch) -> None:
    monkeypatch.delenv("TEST_DICTIONARIES", raising=False)
    assert problems(folder, FRAMES + '\n[dictionary]\nxtce = "$TEST_DICTIONARIES"\n') == [(15, "dictionary.xtce")]
    with pytest.raises(ConfigError, match="TEST_DICTIONARIES is not set"):
        load_mission(str(folder))


def test_a_clock_may_count_leap_seconds(folder) -> None:
    clock = '\n[clock]\nepoch = "1980-01-06T00:00:00Z"\nterms = [{ parameter = "T", unit_ns = 1 }]\n'
    (folder / "mission.toml").write_text(FRAMES + clock + "counts_leap_seconds = true\n")
    mission = load_mission(str(folder))
    week_2200 = np.array([2200 * 604_800 * 10**9])  # 2022-03-06T00:00:00 GPS
    assert mission.utc_ns(["T"], week_2200)[0] == np.datetime64("2022-03-05T23:59:42", "ns").astype(np.int64)


SYSTEM = """<SpaceSystem xmlns="http://www.omg.org/spec/XTCE/20180204" name="{name}"><TelemetryMetaData>
<ParameterTypeSet>
<IntegerParameterType name="U8"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType></ParameterTypeSet>
<ParameterSet><Parameter name="{parameter}" parameterTypeRef="U8"/></ParameterSet><ContainerSet>
<SequenceContainer name="{name}_PACKET"><EntryList><ParameterRefEntry parameterRef="{parameter}"/></EntryList>{base}
</SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"""


@pytest.fixture
def extensions(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A dictionary, and two files of instruments: one extends it, the other what it does not have."""
    (tmp_path / "a.xml").write_text(SYSTEM.format(name="A", parameter="T", base=""))
    for name, of in (("B", "/A/A_PACKET"), ("C", "/Z/Z_PACKET")):
        base = f'<BaseContainer containerRef="{of}"/>'
        (tmp_path / f"{name}.xml").write_text(SYSTEM.format(name=name, parameter=f"{name}_T", base=base))
    return tmp_path / "a.xml", [tmp_path / "B.xml", tmp_path / "C.xml"]


def test_xtce_of_an_instrument_is_read_where_the_dictionary_has_what_it_extends(extensions) -> None:
    dictionary, files = extensions
    usable, notices = known_extensions([dictionary], files)
    assert usable == files[:1]
    assert [str(one) for one in notices] == [
        f"{files[1]}: is left out: it extends /Z/Z_PACKET, which the dictionary does not have"
    ]


@pytest.mark.usefixtures("extensions")
def test_sums_of_other_dictionaries_are_left_out_of_the_clock(folder) -> None:
    clock = '[clock]\nepoch = "1980-01-06T00:00:00Z"\nterms = [{ parameter = "X", unit_ns = 1 }]\n'
    clock += 'alternatives = [[{ parameter = "T", unit_ns = 1 }]]\n'
    (folder / "mission.toml").write_text(f'{FRAMES}\n[dictionary]\nxtce = "a.xml"\n{clock}')
    assert [term.parameter for term in load_mission(str(folder)).time_terms] == ["T"]


@pytest.mark.usefixtures("extensions")
def test_a_clock_of_no_parameter_of_the_dictionary_is_refused(folder) -> None:
    clock = '[clock]\nepoch = "1980-01-06T00:00:00Z"\nterms = [{ parameter = "X", unit_ns = 1 }]\n'
    assert problems(folder, f'{FRAMES}\n[dictionary]\nxtce = "a.xml"\n{clock}')[0][1] == "clock.terms"


@pytest.mark.usefixtures("extensions")
def test_a_clock_of_which_one_parameter_is_unknown_is_refused(folder) -> None:
    terms = '[{ parameter = "T", unit_ns = 1 }, { parameter = "X", unit_ns = 1 }]'
    clock = f'[clock]\nepoch = "1980-01-06T00:00:00Z"\nterms = {terms}\n'
    assert problems(folder, f'{FRAMES}\n[dictionary]\nxtce = "a.xml"\n{clock}')[0][1] == "clock.terms"


def test_a_star_in_a_sum_is_a_sum_for_each_name_that_the_dictionary_has(folder: Path) -> None:
    """Every packet of one mission has the same clock under a name of its own."""
    names = ["HK.SEC", "HK.FINE", "SCI.SEC", "SCI.FINE", "AUX.SEC", "SEC", "OTHER"]
    references = "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name in names)
    parameters = "".join(f'<Parameter name="{name}" parameterTypeRef="U8"/>' for name in names)
    body = SYSTEM.format(name="A", parameter="T", base="")
    body = body.replace('<Parameter name="T" parameterTypeRef="U8"/>', parameters)
    (folder / "a.xml").write_text(body.replace('<ParameterRefEntry parameterRef="T"/>', references))
    clock = '[clock]\nepoch = "1980-01-06T00:00:00Z"\nterms = [{ parameter = "SEC", unit_ns = 1 }]\n'
    clock += 'alternatives = [[{ parameter = "*.SEC", unit_ns = 7 }, { parameter = "*.FINE", unit_ns = 2 }]]\n'
    (folder / "mission.toml").write_text(f'{FRAMES}\n[dictionary]\nxtce = "a.xml"\n{clock}')
    assert [(term.parameter, term.unit_ns, term.clock) for term in load_mission(str(folder)).time_terms] == [
        ("SEC", 1, 0), ("HK.SEC", 7, 1), ("HK.FINE", 2, 1), ("SCI.SEC", 7, 2), ("SCI.FINE", 2, 2)
    ]  # fmt: skip


@pytest.mark.usefixtures("extensions")
def test_a_star_in_the_terms_themselves_is_refused(folder) -> None:
    clock = '[clock]\nepoch = "1980-01-06T00:00:00Z"\nterms = [{ parameter = "*", unit_ns = 1 }]\n'
    assert problems(folder, f'{FRAMES}\n[dictionary]\nxtce = "a.xml"\n{clock}')[0][1] == "clock.terms"


LATE_KERNEL = r"""\begindata
SCLK01_TIME_SYSTEM_9 = ( 2 )  SCLK01_MODULI_9 = ( 4294967296 256 )  SCLK01_OFFSETS_9 = ( 0 0 )
SCLK_PARTITION_START_9 = ( 0 )  SCLK_PARTITION_END_9 = ( 1099511627775 )
SCLK01_COEFFICIENTS_9 = ( 0 @01-JAN-2020-00:01:14.184 1.0 )
\begintext"""
"""69.184 s are TDT - UTC in 2020, and five seconds more: the clock is late."""


def test_a_correlation_may_be_a_spice_kernel_of_the_clock(folder) -> None:
    kernel = r"""\begindata
SCLK01_TIME_SYSTEM_9 = ( 2 )  SCLK01_MODULI_9 = ( 4294967296 256 )  SCLK01_OFFSETS_9 = ( 0 0 )
SCLK_PARTITION_START_9 = ( 0 )  SCLK_PARTITION_END_9 = ( 1099511627775 )
SCLK01_COEFFICIENTS_9 = ( 0 @01-JAN-2010-00:01:06.184 1.0 )
\begintext"""
    (folder / "clock.tsc").write_text(kernel)
    clock = '\n[clock]\nepoch = "2010-01-01T00:00:00Z"\nterms = [{ parameter = "T", unit_ns = 1 }]\n'
    (folder / "mission.toml").write_text(f'{FRAMES}{clock}correlation = "clock.tsc"\n')
    mission = load_mission(str(folder))
    found = mission.utc_ns(["T"], np.array([473_385_603 * 10**9]))[0]  # three leap seconds since
    assert np.datetime64(int(found), "ns") == np.datetime64("2025-01-01T00:00:00")
    assert folder / "clock.tsc" in mission.files


@pytest.mark.parametrize(("setting", "late_s"), [("", 5), ("one_clock = true\n", 0)])
def test_a_correlation_is_of_the_first_sum_alone_where_others_are_other_clocks(setting, late_s, folder) -> None:
    (folder / "clock.tsc").write_text(LATE_KERNEL)
    clock = '\n[clock]\nepoch = "2020-01-01T00:00:00Z"\nterms = [{ parameter = "T", unit_ns = 1 }]\n'
    clock += f'alternatives = [[{{ parameter = "U", unit_ns = 1 }}]]\n{setting}correlation = "clock.tsc"\n'
    (folder / "mission.toml").write_text(f"{FRAMES}{clock}")
    mission, count = load_mission(str(folder)), np.array([10**9])
    assert (mission.utc_ns(["T"], count) - mission.utc_ns(["U"], count))[0] == late_s * 10**9


def test_a_kernel_that_is_none_is_one_line_with_its_name(folder) -> None:
    (folder / "clock.tsc").write_text("KPL/LSK")
    clock = '\n[clock]\nepoch = "2010-01-01T00:00:00Z"\nterms = [{ parameter = "T", unit_ns = 1 }]\n'
    (folder / "mission.toml").write_text(f'{FRAMES}{clock}correlation = "clock.tsc"\n')
    with pytest.raises(ConfigError, match=r"clock\.tsc: is no kernel of a clock that is read: it has no clocks"):
        load_mission(str(folder))

"""What `inspect` says of a recording that the mission file does not fit, and of one without channels."""

from pathlib import Path
from typing import Any

import pytest
from downlink_pipeline.commands.recordings import inspect as inspect_passes
from downlink_pipeline.commands.report import warnings
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError

CASES = Path(__file__).parents[1] / "link" / "cases"
CODED = 'framing = "cadu"\nframe_length_bytes = {length}\nrandomizer = {randomizer}\n'
CODE = 'reed_solomon = {{ parity = {parity}, interleave = 4, basis = "{basis}" }}\n'
RIGHT = {"length": 892, "randomizer": "true", "parity": 32, "basis": "conventional"}
CHANNEL = "[[channel]]\nspacecraft_id = 245\nvirtual_channel = 5\nname = 'relay'\n"


def inspected(folder: Path, recording: Path, link: str, channel: str = CHANNEL) -> dict[str, Any]:
    (folder / "mission.toml").write_text(f"name = 'test'\n[link]\n{link}{channel}")
    return inspect_passes([recording], load_mission(str(folder), any_channel=True), lambda _: None)


@pytest.fixture(scope="module")
def pass_file(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 120 blocks of a coded pass, without the others."""
    path = tmp_path_factory.mktemp("hints") / "pass.cadu"
    path.write_bytes((bundled / "clean.cadu").read_bytes()[: 120 * 1024])
    return path


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"parity": 16, "length": 956}, "with frame_length_bytes = 892, reed_solomon"),
        ({"basis": "dual"}, 'basis = "conventional"'),
    ],
)
def test_the_key_that_is_wrong_is_named(pass_file: Path, tmp_path: Path, wrong: dict[str, Any], hint: str) -> None:
    values = RIGHT | wrong
    report = inspected(tmp_path, pass_file, (CODED + CODE).format(**values))
    assert any(hint in line for line in report["hints"])
    assert all(hint in warnings(report, "test")[-1] for hint in report["hints"])


def test_markers_at_another_distance_are_said_with_both_distances(pass_file: Path, tmp_path: Path) -> None:
    octets = pass_file.read_bytes()
    shorter = tmp_path / "pass.cadu"
    shorter.write_bytes(b"".join(octets[at : at + 960] for at in range(0, len(octets), 1024)))
    report = inspected(tmp_path, shorter, (CODED + CODE).format(**RIGHT))
    assert report["hints"][0] == "1ACFFC1D occurs every 960 bytes; by the settings it is 1,024"


def test_a_pass_that_is_read_has_no_hints(pass_file: Path, tmp_path: Path) -> None:
    assert "hints" not in inspected(tmp_path, pass_file, (CODED + CODE + "insert_zone_bytes = 8\n").format(**RIGHT))


def test_of_noise_it_says_that_it_may_be_noise(tmp_path: Path) -> None:
    (tmp_path / "zeros").write_bytes(bytes(9000))
    report = inspected(tmp_path, tmp_path / "zeros", (CODED + CODE).format(**RIGHT))
    assert "noise" in report["hints"][0]


@pytest.mark.parametrize(
    ("recording", "link", "found"),
    [
        (
            "tm_256_lost.frames",
            'framing = "frames"\nframe_type = "tm"\nframe_length_bytes = 248\nfecf = true\n',
            [(5, 0)],
        ),
        ("aos_scid_0x245.frames", 'framing = "frames"\nframe_length_bytes = 208\n', [(0x245, 1)]),
    ],
)
def test_without_channels_all_are_shown(
    tmp_path: Path, recording: str, link: str, found: list[tuple[int, int]]
) -> None:
    report = inspected(tmp_path, CASES / recording, link, channel="")
    assert [(one["scid"], one["vcid"]) for one in report["channels"]] == found
    assert report["frames"]["other_channel"] == 0
    assert report["channels"][0]["packets"] > 0


def test_without_channels_those_of_a_coded_pass_are_shown(pass_file: Path, tmp_path: Path) -> None:
    report = inspected(tmp_path, pass_file, (CODED + CODE + "insert_zone_bytes = 8\n").format(**RIGHT), channel="")
    assert {(one["scid"], one["vcid"]) for one in report["channels"]} >= {(245, 5)}
    assert report["packets"]["read"] > 0


def test_standard_input_is_not_read_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="standard input"):
        inspected(tmp_path, Path("-"), (CODED + CODE).format(**RIGHT), channel="")


def test_inspect_takes_a_mission_without_channels_and_packets_does_not(downlink: Any, tmp_path: Path) -> None:
    (tmp_path / "mission.toml").write_text("name = 'test'\n[link]\nframing = 'frames'\nframe_length_bytes = 208\n")
    recording = CASES / "aos_scid_0x245.frames"
    done = downlink("inspect", recording, "--mission", tmp_path)
    assert (done.returncode, "581/1" in done.stdout) == (0, True)
    refused = downlink("packets", recording, "--mission", tmp_path, "--out", tmp_path / "out")
    assert (refused.returncode, "[[channel]]" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("recording", "link", "hint"),
    [
        (
            "tm_256_lost.frames",
            'frame_type = "tm"\nframe_length_bytes = 248\nfecf = true\nsecurity_header_bytes = 4\n',
            "security_header_bytes = 0",
        ),
        ("aos_scid_0x245.frames", "frame_length_bytes = 208\ninsert_zone_bytes = 6\n", "insert_zone_bytes = 0"),
    ],
)
def test_without_channels_a_wrong_packet_zone_is_no_channel_of_data(
    tmp_path: Path, recording: str, link: str, hint: str
) -> None:
    report = inspected(tmp_path, CASES / recording, 'framing = "frames"\n' + link, channel="")
    (line,) = warnings(report, "test")
    assert "bad packet headers" in line
    assert hint in line

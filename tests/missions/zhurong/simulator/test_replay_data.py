"""The bundled passes are what the manifest says, and the simulator still makes them.

Bytes are promised for one version of NumPy and of OpenJPEG only: random streams and codestreams may change with them.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import simulate
from downlink_pipeline.missions.zhurong.simulator.bundle import PASSES, command
from PIL import features

FOLDER = Path(__file__).parents[4] / "replay_data"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
FILES = [(name, file) for name, entry in MANIFEST["passes"].items() for file in entry["files"]]


@pytest.fixture(scope="module")
def remade(tmp_path_factory):
    for name, here in (("numpy", np.__version__), ("openjpeg", features.version("jpg_2000"))):
        if here != MANIFEST["made_with"][name]:
            pytest.skip(f"made with {name} {MANIFEST['made_with'][name]}, this is {here}")
    folder = tmp_path_factory.mktemp("remade")
    for name, scenario in PASSES.items():
        simulate(folder / name, scenario)
    return folder


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_bundled_file_has_the_size_and_checksum_of_the_manifest(name, file):
    content = (FOLDER / file).read_bytes()
    expected = MANIFEST["passes"][name]["files"][file]
    assert (len(content), hashlib.sha256(content).hexdigest()) == (expected["bytes"], expected["sha256"])


@pytest.mark.parametrize(("name", "file"), [pair for pair in FILES if not pair[1].endswith(".npz")])
def test_the_simulator_makes_a_bundled_file_again(remade, name, file):
    digest = hashlib.sha256((remade / file).read_bytes()).hexdigest()
    assert digest == MANIFEST["passes"][name]["files"][file]["sha256"]


@pytest.mark.parametrize("name", list(PASSES))
def test_the_simulator_makes_the_truth_again(remade, name):
    """To the last digit of a float32: the sines of another processor may differ in it, the pass does not."""
    with np.load(FOLDER / f"{name}.truth.npz") as old, np.load(remade / f"{name}.truth.npz") as new:
        assert old.files == new.files
        for array in old.files:
            if old[array].dtype.kind == "f":
                np.testing.assert_allclose(new[array], old[array], rtol=1e-6, atol=1e-9)
            else:
                np.testing.assert_array_equal(new[array], old[array])


@pytest.mark.parametrize("name", list(PASSES))
def test_the_manifest_names_the_command_that_makes_a_pass(name):
    assert MANIFEST["passes"][name]["command"] == command(name, PASSES[name])


def test_the_commands_options_are_those_of_the_scenario():
    assert command("damaged.cadu", PASSES["damaged.cadu"]) == (
        "downlink simulate --out damaged.cadu --sol 12 --seed 12 --duration 300 --profile high --symbol-errors 16"
        " --symbol-error-share 0.25 --lost-frames 14 --noise-bytes 4000 --duplicate-frames 6 --other-channel"
        " --uncorrectable-frames 4"
    )


def test_the_bundle_is_at_most_16_mb():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 16_000_000


@pytest.mark.parametrize("name", ["clean.cadu", "damaged.cadu"])
def test_a_replay_in_real_time_lasts_10_to_30_seconds(name):
    assert 10.0 <= MANIFEST["passes"][name]["duration_s"] <= 30.0

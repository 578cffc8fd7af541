import ast
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong import simulator as simulate
from downlink_pipeline.missions.zhurong.simulator import octets


def test_a_negative_number_of_24_bits_is_twos_complement():
    assert octets.signed(np.array([-2]), 3).tolist() == [[0xFF, 0xFF, 0xFE]]


def test_minus_five_in_sign_magnitude_is_8005():
    assert octets.sign_magnitude(np.array([-0.05]), 0.01).tobytes().hex() == "8005"


def test_a_value_just_below_zero_is_a_minus_zero():
    assert octets.sign_magnitude(np.array([-0.001]), 0.01).tobytes().hex() == "8000"


def test_two_numbers_of_12_bits_share_three_bytes():
    assert octets.twelve_bits(np.array([[0xABC, 0xDEF]])).tobytes().hex() == "abcdef"


def test_a_temperature_counts_from_minus_150_degc_in_steps_of_0_005():
    assert octets.temperature(np.array([20.0])).tobytes() == (34_000).to_bytes(2, "big")


def test_the_genuine_first_radar_stamp_is_that_of_its_label():
    label_ns = np.array([np.datetime64("2021-05-25T04:20:00.601", "ns").astype(np.int64)])
    assert octets.onboard_time(label_ns, 0.0).tobytes().hex() == "0a2729f00259"


@pytest.mark.parametrize("value", [-1, 256])
def test_a_number_that_does_not_fit_is_a_mistake(value):
    with pytest.raises(OverflowError):
        octets.unsigned(np.array([value]), 1)


def test_the_simulator_imports_nothing_of_the_decoder():
    modules = set()
    for path in Path(simulate.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.level > 1 or not node.level):
                modules.add("." * node.level + (node.module or ""))
            elif isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
    ours = {module for module in modules if module.startswith((".", "pipeline", "downlink_pipeline"))}
    assert ours == {"....model.errors", "....system.outputs"}  # mistakes of the user; no output is an input

import copy

import pytest
from downlink_pipeline.mission.packages import find_package
from downlink_pipeline.mission.toml_lines import validation_problems
from downlink_pipeline.products.instrument import family
from pydantic import ValidationError

INSTRUMENTS = {name: one.load() for name, one in find_package("zhurong").instruments.items()}
NAMES = sorted({family(*one) for one in INSTRUMENTS.items()})


def check_calibration(name, table):
    model = INSTRUMENTS[name].model
    try:
        model.model_validate(dict(table))
    except ValidationError as error:
        return [(one.key, one.text) for one in validation_problems(error, "", "", model)]
    return []


@pytest.mark.parametrize("name", NAMES)
def test_zhurongs_calibration_files_are_right(calibrations, name):
    assert check_calibration(name, calibrations[name]) == []


@pytest.fixture
def spoiled(calibrations):
    def make(name, change):
        table = copy.deepcopy(calibrations[name])
        change(table)
        return [key for key, _ in check_calibration(name, table)]

    return make


def test_a_missing_key_is_named(spoiled):
    assert spoiled("weather", lambda t: t["wind"].pop("a_mw_per_k")) == ["wind.a_mw_per_k"]


def test_an_unknown_key_is_named(spoiled):
    assert spoiled("weather", lambda t: t["wind"].update(colour=1)) == ["wind.colour"]


def test_a_vector_that_is_too_short_is_named(spoiled):
    assert spoiled("magnetometer", lambda t: t["sensor_a"].update(offset_nt=[1.0])) == ["sensor_a.offset_nt"]


def test_a_scale_of_zero_is_absurd(spoiled):
    assert spoiled("magnetometer", lambda t: t["scale"].update(nt_per_count=0.0)) == ["scale.nt_per_count"]


def test_a_number_that_is_none_is_absurd(spoiled):
    assert spoiled("swir", lambda t: t["panel"]["reflectance"].append(float("nan"))) == ["panel.reflectance.2"]


def test_limits_the_wrong_way_round_are_absurd(spoiled):
    assert spoiled("weather", lambda t: t["wind"].update(valid_m_s=[27.0, 0.0])) == ["wind.valid_m_s"]


def test_text_for_a_number_is_wrong(spoiled):
    assert spoiled("rover", lambda t: t["driving"].update(max_speed_m_s="0.1")) == ["driving.max_speed_m_s"]


def test_a_source_says_published_recalled_or_assumed(spoiled):
    assert spoiled("libs", lambda t: t["shots"].update(source="a friend")) == ["shots.source"]


def test_whole_numbers_stand_for_floats(spoiled):
    assert spoiled("weather", lambda t: t.update(sample_interval_s=1)) == []


def test_all_problems_come_at_once(spoiled):
    def change(table):
        table["wind"].pop("a_mw_per_k")
        table["pressure"]["valid_pa"] = [1.0]
        table["more"] = 1

    assert sorted(spoiled("weather", change)) == ["more", "pressure.valid_pa", "wind.a_mw_per_k"]


@pytest.mark.parametrize(
    ("name", "table", "key", "value"),
    [
        ("minpa", "grid", "energy_ev", [0.0, 25_000.0]),  # on a logarithmic scale
        ("minpa", "grid", "energy_ev", [100.0, 100.0]),
        ("mepa", "electron", "energy_mev", [0.0, 12.0]),
        ("mosir", "band_10_15", "sampling_mhz", 1e308),  # more samples than there is memory
        ("mosir", "band_10_15", "pulse_us", 1e9),
    ],
)
def test_what_no_scale_and_no_pulse_can_be_is_named(spoiled, name, table, key, value):
    assert [one.split(".")[:2] for one in spoiled(name, lambda t: t[table].update({key: value}))] == [[table, key]]

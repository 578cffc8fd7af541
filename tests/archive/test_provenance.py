"""Who made a file, whether its pass was simulated, and on what its calibration rests: in every kind of file."""

import struct
from dataclasses import replace

import pytest
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.system.outputs import is_simulated
from of_zhurong import origin

BASIS = "assumed: noise, sound; recalled: optics; published: air_prt"
SOURCES = {
    "noise": "assumed",
    "sound": "assumed; 16 bits",
    "optics": "recalled: a",
    "air_prt": "published: IEC 60751",
}


@pytest.fixture(scope="module", params=[True, False], ids=["simulated", "received"])
def made(request, few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("provenance")
    with product_files(folder, origin("s", ("a.cadu",), simulated=request.param)) as files:
        files.add(
            [
                replace(one, lineage={**one.lineage, "calibration": {"sources": SOURCES}, "uncertainty": WORDS})
                for one in few
            ]
        )
    return folder, "true" if request.param else "false"


WORDS = "none: nothing is known of it"


def only(folder, ending):
    return next(path for path in sorted(folder.iterdir()) if path.name.endswith(ending))


def test_names_have_our_producer_word_and_say_what_was_simulated(made):
    folder, simulated = made
    word = "SIM" if simulated == "true" else "SCI"
    names = [path.name for path in folder.iterdir() if path.suffix not in {".sqlite", ".zarr"}]
    assert [one for one in names if f"_{word}_N_" not in one or not one.startswith("HX1-Ro_DOWNLINK_")] == []


def test_netcdf_says_it(made):
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(only(made[0], ".nc"), decode_cf=False) as found:
        about = found.attrs
    assert (about["producer"], about["simulated"], about["calibration_basis"]) == ("DOWNLINK", made[1], BASIS)
    assert about["uncertainty"] == WORDS


def test_cdf_says_it(made):
    cdflib = pytest.importorskip("cdflib")
    about = cdflib.CDF(only(made[0], ".cdf")).globalattsget()
    assert (about["Producer"], about["Simulated"], about["Calibration_basis"]) == (["DOWNLINK"], [made[1]], [BASIS])
    assert about["Uncertainty"] == [WORDS]


def test_segy_says_it(made):
    text = only(made[0], ".sgy").read_bytes()[:3200].decode("cp037")
    assert f"SIMULATED: {made[1]}" in text
    assert "CALIBRATION BASIS: assumed: noise, sound; recalled: optics" in text
    assert f"UNCERTAINTY: {WORDS}" in text


def test_wav_says_it_and_is_still_read(made):
    wavfile = pytest.importorskip("scipy.io.wavfile")
    path = only(made[0], ".wav")
    rate, pressure = wavfile.read(path)
    content = path.read_bytes()
    assert (rate, len(pressure)) == (16_000, 4000)
    assert struct.unpack("<I", content[4:8]) == (len(content) - 8,)
    assert f"simulated: {made[1]}; calibration_basis: {BASIS}; uncertainty: {WORDS}".encode() in content


def test_pictures_say_it(made):
    image = pytest.importorskip("PIL.Image")
    with image.open(only(made[0], ".png")) as picture:
        assert (picture.text["Simulated"], picture.text["Calibration basis"]) == (made[1], BASIS)
        assert picture.text["Uncertainty"] == WORDS


def test_pds4_labels_say_it(made):
    text = only(made[0], ".2BL").read_text()
    assert f"<simulated>{made[1]}</simulated>" in text
    assert "<name>air_prt</name>" in text
    assert f"<uncertainty>{WORDS}</uncertainty>" in text
    assert ("downlink_zhurong_simulated:" in text) == (made[1] == "true")


@pytest.mark.parametrize("name", ["pass.cadu", "pass.cadu.zst", "pass.cadu.gz"])
def test_a_pass_with_its_truth_beside_it_is_simulated(tmp_path, name):
    (tmp_path / name).touch()
    assert not is_simulated(tmp_path / name)
    (tmp_path / "pass.cadu.truth.json").touch()
    assert is_simulated(tmp_path / name)

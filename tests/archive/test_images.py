"""Images as PDS4 arrays and as pictures, one for each, opened in the outside tools."""

import shutil
import sqlite3
import warnings
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from downlink_pipeline.archive.pictures import as_seen
from downlink_pipeline.archive.products import product_files
from of_zhurong import origin
from PIL import Image


@pytest.fixture(scope="session")
def files(folder):
    """Paths of one kind of an instrument, in order of time."""

    def find(kind, instrument, product="image"):
        query = "select file from files where kind = ? and instrument = ? and product = ? order by start_utc, file"
        with sqlite3.connect(folder / "products.sqlite") as database:
            found = database.execute(query, (kind, instrument, product)).fetchall()
        database.close()
        return [folder / name for (name,) in found]

    return find


@pytest.fixture(scope="session")
def structures(files, read_label):
    """An image of a product, read by pds4_tools."""
    return lambda instrument, product="image", number=0: read_label(
        files("pds4-image", instrument, product)[number]
    )


def of(products, instrument, product="image"):
    return [one for one in products if (one.instrument, one.product) == (instrument, product)]


def test_each_image_has_an_array_a_label_and_a_picture(files, products):
    for kind in ("pds4-image", "pds4-label", "picture"):
        for instrument, product in (
            ("mscam", "image"),
            ("natecam", "image"),
            ("natecam", "panorama"),
            ("moric", "strip"),
        ):
            assert len(files(kind, instrument, product)) == len(of(products, instrument, product)), kind


@pytest.mark.parametrize(("instrument", "name"), [
    ("mscam", "HX1-Ro_DOWNLINK_MSCam-W-1-77-0410-01_SIM_N_20210525042121_20210525042121_00011_A.2B"),
    ("natecam", "HX1-Ro_DOWNLINK_NaTeCamA-F-201_SIM_N_20210525042041_20210525042041_00011_A.2C"),
])  # fmt: skip
def test_names_are_built_as_the_archives_own(instrument, name, files):
    """As HX1-Ro_GRAS_NaTeCamA-F-005_SCI_N_20220412171830_20220412171830_00325_A.2C."""
    assert files("pds4-image", instrument)[0].name == name


def test_pds4_tools_reads_radiance_and_reflectance(structures, products):
    image, reflectance = structures("mscam", number=4)
    product = of(products, "mscam")[4]
    assert image.meta_data["Axis_Array"][0]["axis_name"] == "Line"
    np.testing.assert_array_equal(image.data, product.arrays["image"].values[0])
    np.testing.assert_array_equal(reflectance.data, product.arrays["reflectance"].values[0])


@pytest.mark.parametrize(
    ("instrument", "product"), [("natecam", "image"), ("natecam", "panorama"), ("moric", "strip")]
)
def test_pds4_tools_reads_lines_samples_and_bands(structures, products, instrument, product):
    [image] = structures(instrument, product)
    assert [axis["axis_name"] for axis in image.meta_data["Axis_Array"]] == ["Line", "Sample", "Band"]
    np.testing.assert_array_equal(image.data, of(products, instrument, product)[0].arrays["image"].values[0])


def test_the_label_says_how_the_image_was_taken(files, products):
    label = ET.parse(f"{files('pds4-image', 'mscam', 'image')[2]}L")

    def reported(*path):
        return label.find(".//" + "/".join(f"{{*}}{one}" for one in path)).text

    product = of(products, "mscam")[2]
    assert (float(reported("central_wavelength")), float(reported("full_width_half_max"))) == (650.0, 20.0)
    assert float(reported("exposure_duration")) == 0.003
    assert reported("sequence_id") == "00011"
    centre = [float(reported("centre", axis)) for axis in "xyz"]
    np.testing.assert_allclose(centre, product.arrays["pointing_enu"].values[0, 4], atol=1e-8)
    assert float(reported("Image_Statistics", "mean")) == pytest.approx(
        product.arrays["mean_radiance"].values[0], rel=1e-4
    )


def test_a_missing_line_has_the_constant_that_the_label_names(products, tmp_path):
    tools = pytest.importorskip("pds4_tools")
    whole = of(products, "mscam")[0]
    image = whole.arrays["image"].values.copy()
    image[0, 32:64] = np.nan
    hurt = replace(whole, arrays={**whole.arrays, "image": replace(whole.arrays["image"], values=image)})
    with product_files(tmp_path, origin("s", ("a",)), "pds4") as files:
        files.add([hurt])
    [path] = tmp_path.glob("*.2BL")
    shutil.copy(path, tmp_path / "label.xml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the reader's own
        found = tools.read(str(tmp_path / "label.xml"), quiet=True)[0]
    constant = float(found.meta_data["Special_Constants"]["missing_constant"])
    assert np.flatnonzero((np.asarray(found.data) == constant).all(axis=1)).tolist() == list(range(32, 64))


def test_a_picture_is_what_the_camera_saw(files, products):
    for path, product in zip(files("picture", "natecam"), of(products, "natecam"), strict=True):
        with Image.open(path) as picture:
            assert np.array_equal(np.asarray(picture), product.arrays["image"].values[0])


def test_a_picture_says_what_is_black_and_what_is_white(files):
    with Image.open(files("picture", "mscam")[0]) as picture:
        assert picture.text["Description"].endswith("W m-2 sr-1 um-1")
        assert picture.text["Title"] == "zhurong mscam/image"


def test_the_drive_and_the_sweep_are_animations(files):
    frames = []
    for path in files("animation", "natecam"):
        with Image.open(path) as film:
            frames.append(film.n_frames)
    assert frames == [5, 8]


def test_radiance_is_stretched_between_its_percentiles_and_missing_is_black():
    image = np.linspace(0, 200, 201).reshape(1, 201)
    image[0, 100] = np.nan
    seen, (low, high) = as_seen(image)
    assert (low, high) == (1.0, 199.0) or np.allclose((low, high), np.nanpercentile(image, [0.5, 99.5]))
    assert (seen[0, 0], seen[0, 100], seen[0, -1]) == (0, 0, 255)

"""The four polarisations of the radar as PDS4 tables, and what happens beside one that cannot be made."""

import shutil
import sqlite3
import warnings
from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.archive import kinds as table
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from of_zhurong import origin

CODES = {"HH": 0xEE, "HV": 0xE1, "VH": 0x1E, "VV": 0x11}  # of the record: HH genuine, the others of the dictionary


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Products of a pass with the radar in four polarisations, and cameras."""
    recording = tmp_path_factory.mktemp("four") / "pass.cadu"
    simulate(recording, Scenario(duration_s=120.0, all_polarizations=True))
    line = ProcessingChain(load_mission("zhurong"), "four")
    products = [one for batch in read_pass(recording) for one in line.process(batch).products]
    return products + list(line.flush().products)


@pytest.fixture(scope="module")
def images(made):
    return sum(
        (one.instrument, one.product) in {("mscam", "image"), ("natecam", "image"), ("natecam", "panorama")}
        for one in made
    )


def write(folder, products):
    with product_files(folder, origin("four", ("pass.cadu",)), "pds4") as files:
        files.add(products)


def kinds(folder):
    with sqlite3.connect(folder / "products.sqlite") as database:
        found = database.execute("select kind, file from files order by file").fetchall()
    database.close()
    return found


def tables(folder):
    return {
        name.split("-HF-")[1][:2]: name for kind, name in kinds(folder) if kind == "pds4-table" and "-HF-" in name
    }


@pytest.fixture(scope="module")
def read(made, tmp_path_factory):
    tools = pytest.importorskip("pds4_tools")
    folder = tmp_path_factory.mktemp("pds4")
    write(folder, made)
    found = {}
    for word, name in tables(folder).items():
        shutil.copy(folder / f"{name}L", folder / f"{word}.xml")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the reader's own
            found[word] = tools.read(str(folder / f"{word}.xml"), quiet=True)[0]
    return found


def test_each_polarisation_is_a_table_of_its_own_code(read):
    codes = {
        word: {value[0] for value in np.asarray(table["Antenna_Polarization_HF"])} for word, table in read.items()
    }
    assert codes == {word: {code} for word, code in CODES.items()}


def test_the_counter_that_the_four_share_distinguishes_them(read):
    """1, 5, 9 in genuine HH files; the others stand between."""
    places = {word: set((np.asarray(table["Frame_Count"]) % 4).tolist()) for word, table in read.items()}
    assert places == {"HH": {1}, "HV": {2}, "VH": {3}, "VV": {0}}


def test_one_table_that_cannot_be_made_takes_neither_the_others_nor_the_images_along(made, images, tmp_path):
    spoilt = [_with_label(one, "VV", "XX") for one in made]
    with pytest.raises(RunError) as error:
        write(tmp_path, spoilt)
    [line] = str(error.value).splitlines()
    assert line.startswith("cannot write ")
    assert line.endswith("polarization 'XX' has no code in the radar's record")
    assert set(tables(tmp_path)) == {"HH", "HV", "VH"}
    assert sum(kind == "pds4-image" for kind, _ in kinds(tmp_path)) == images > 0


def test_a_planner_that_fails_on_one_product_names_the_files_of_the_others(made, tmp_path, monkeypatch):
    [radar, images] = table.KINDS["pds4"].plans

    def plan(collections, origin):
        if any(one.instrument == "mscam" for one in collections):
            raise ValueError("no such filter")
        yield from images(collections, origin)

    monkeypatch.setitem(table.KINDS, "pds4", table.FileKind((radar, plan)))
    with pytest.raises(RunError, match=r"^cannot write mscam/image: ValueError\('no such filter'\)$"):
        write(tmp_path, made)
    assert set(tables(tmp_path)) == set(CODES)
    assert any("NaTeCam" in name for kind, name in kinds(tmp_path) if kind == "pds4-image")


def _with_label(product, old, new):
    if "polarization" not in product.arrays:
        return product
    labels = product.arrays["polarization"]
    changed = replace(labels, values=np.where(labels.values == old, new, labels.values))
    return replace(product, arrays={**product.arrays, "polarization": changed})

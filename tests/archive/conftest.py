"""The bundled pass as products in memory and as files on disk, each made once."""

import shutil
import sqlite3
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.commands.recordings import write_products
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import Product, Quantity, TimeRange
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from of_zhurong import origin


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`downlink products`, from the command line's own function."""

    def run(
        passes: Sequence[Path], mission: str = "zhurong", out: Path | None = None, file_format: str = "archive"
    ) -> Path:
        out = out or tmp_path_factory.mktemp("products")
        write_products(passes, load_mission(mission), out, lambda _: None, file_format=file_format)
        return out

    return run


@pytest.fixture(scope="session")
def read_label(tmp_path_factory):
    """Reads a PDS4 product; pds4_tools needs a label that ends in .xml, beside the data."""
    tools = pytest.importorskip("pds4_tools")

    def read(path):
        place = tmp_path_factory.mktemp("label")
        shutil.copy(path, place)
        shutil.copy(f"{path}L", place / "label.xml")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the reader's own
            return tools.read(str(place / "label.xml"), quiet=True)

    return read


@pytest.fixture(scope="session")
def products(bundled: Path) -> list[Product]:
    line = ProcessingChain(load_mission("zhurong"), "clean")
    made = [product for batch in read_pass(bundled / "clean.cadu") for product in line.process(batch).products]
    return made + list(line.flush().products)


@pytest.fixture(scope="session")
def folder(bundled: Path, write: Callable[..., Path]) -> Path:
    return write([bundled / "clean.cadu"])


@pytest.fixture(scope="session")
def sound() -> Product:
    """A burst of sound: 0.25 s of 440 Hz, 0.2 Pa, at 16 kHz."""
    time_s = np.arange(4000) / 16_000
    pressure = (0.2 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    start_ns = 1_621_916_700 * 10**9
    arrays = {
        "time_utc_ns": Quantity(np.array([start_ns]), "ns"),
        "sound_pressure_pa": Quantity(pressure[None], "Pa", "of the air", ("row", "sample")),
        "sample_rate_hz": Quantity(np.array([16_000.0]), "Hz"),
    }
    ends = (start_ns, start_ns)
    return Product(
        "weather-sound-0", "zhurong", "s", "weather", "sound", "2A",
        TimeRange(ends, ends, (11, 11), (12.5, 12.5), (12.4, 12.4), (50.0, 50.0)),
        arrays, np.zeros(1, np.uint32), {"level_pds4": "Calibrated"},
    )  # fmt: skip


@pytest.fixture(scope="session")
def few(products: list[Product], sound: Product) -> list[Product]:
    """Some products, of which every kind of file is made."""
    wanted = {("weather", "meteorology"), ("magnetometer", "field"), ("gpr", "low_frequency"), ("rover", "event")}
    return [one for one in products if (one.instrument, one.product) in wanted] + [sound]


@pytest.fixture(scope="session")
def few_files(few: list[Product], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of `few`."""
    folder = tmp_path_factory.mktemp("few")
    with product_files(folder, origin("clean", ("clean.cadu",))) as files:
        files.add(few)
    return folder


@pytest.fixture(scope="session")
def rows(products: list[Product]) -> Callable[[str, str, str], np.ndarray]:
    """One array over all products of a kind; `quality` is their quality words."""

    def find(instrument: str, product: str, array: str) -> np.ndarray:
        of_kind = [one for one in products if (one.instrument, one.product) == (instrument, product)]
        parts = [one.quality if array == "quality" else one.arrays[array].values for one in of_kind]
        return np.concatenate(parts)

    return find


@pytest.fixture(scope="session")
def file_of(folder: Path) -> Callable[[str, str, str], Path]:
    """The file of one kind that holds a product, as the index has it."""

    def find(kind: str, instrument: str, product: str) -> Path:
        query = "select file from files where kind = ? and instrument = ? and product = ?"
        with sqlite3.connect(folder / "products.sqlite") as database:
            [(name,)] = database.execute(query, (kind, instrument, product)).fetchall()
        database.close()
        return folder / name

    return find

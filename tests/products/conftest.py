"""The bundled pass as products in memory and as files on disk, each made once."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.app import write_products
from pipeline.batches import Product
from pipeline.mission import load_mission
from pipeline.stages.line import Line
from pipeline.transport.source import read_pass


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`downlink products`, from the command line's own function."""

    def run(passes: Sequence[Path], mission: str = "zhurong", out: Path | None = None) -> Path:
        out = out or tmp_path_factory.mktemp("products")
        write_products(passes, load_mission(mission), out, lambda _: None, file_format="archive")
        return out

    return run


@pytest.fixture(scope="session")
def products(bundled: Path) -> list[Product]:
    line = Line(load_mission("zhurong"), "clean")
    made = [product for batch in read_pass(bundled / "clean.cadu") for product in line.feed(batch).products]
    return made + list(line.flush().products)


@pytest.fixture(scope="session")
def folder(bundled: Path, write: Callable[..., Path]) -> Path:
    return write([bundled / "clean.cadu"])


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

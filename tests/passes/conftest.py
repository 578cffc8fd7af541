"""The bundled passes decoded once, and the simulator's truth of them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import Event, Product
from downlink_pipeline.processing.chain import Line
from downlink_pipeline.recordings.reader import read_pass


@dataclass(frozen=True)
class Decoded:
    """A pass after the whole way: its products, its report, and what was true."""

    products: tuple[Product, ...]
    events: tuple[Event, ...]
    report: dict[str, Any]
    truth: dict[str, np.ndarray]
    told: dict[str, Any]

    def of(self, instrument: str, product: str) -> list[Product]:
        return [one for one in self.products if (one.instrument, one.product) == (instrument, product)]

    def rows(self, instrument: str, product: str, array: str) -> np.ndarray:
        """One array over all products of a kind, rows in order."""
        return np.concatenate([one.arrays[array].values for one in self.of(instrument, product)])

    def quality(self, instrument: str, product: str) -> np.ndarray:
        return np.concatenate([one.quality for one in self.of(instrument, product)])

    def arrived(self, container: str) -> np.ndarray:
        return self.truth[f"{container}_arrived"]


def run(
    path: Path, mission: str = "zhurong", chunk_bytes: int = 1 << 20
) -> tuple[Line, list[Product], list[Event]]:
    line = Line(load_mission(mission), "test")
    outcomes = [line.feed(batch) for batch in read_pass(path, chunk_bytes)]
    outcomes.append(line.flush())
    return line, flat(one.products for one in outcomes), flat(one.events for one in outcomes)


def flat(parts: Iterable[Iterable[Any]]) -> list[Any]:
    return [item for part in parts for item in part]


@pytest.fixture(scope="session")
def decode_pass() -> Callable[..., Decoded]:
    def decode(path: Path, mission: str = "zhurong") -> Decoded:
        line, products, events = run(path, mission)
        truth = np.load(f"{path}.truth.npz")
        told = json.loads(Path(f"{path}.truth.json").read_text())
        return Decoded(
            tuple(products), tuple(events), line.report(), {key: truth[key] for key in truth.files}, told
        )

    return decode


@pytest.fixture(scope="session")
def clean(bundled: Path, decode_pass: Callable[..., Decoded]) -> Decoded:
    return decode_pass(bundled / "clean.cadu")


@pytest.fixture(scope="session")
def damaged(bundled: Path, decode_pass: Callable[..., Decoded]) -> Decoded:
    return decode_pass(bundled / "damaged.cadu")


@pytest.fixture(params=["clean", "damaged"])
def decoded(request: pytest.FixtureRequest) -> Decoded:
    """Both passes: what holds of the clean one holds of what is left of the damaged one."""
    found: Decoded = request.getfixturevalue(request.param)
    return found

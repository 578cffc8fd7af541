"""The engine knows no spacecraft: what is said of one stands in its mission package."""

import re
from pathlib import Path

import pytest

PIPELINE = Path(__file__).parents[2] / "pipeline"
ROOMS = [
    "commands", "conversion", "dashboard", "dictionary", "history", "messages", "model", "mqtt", "pictures",
    "processing", "products", "recordings", "replay", "services", "stations", "system",
]  # fmt: skip
NAMES = re.compile("zhurong|tianwen|rover|mars", re.IGNORECASE)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_no_spacecraft(room):
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted((PIPELINE / room).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if NAMES.search(line)
    ]
    assert found == []


def test_an_instrument_is_spelled_in_its_own_folder_alone():
    spelled = [
        path.relative_to(PIPELINE) for path in PIPELINE.rglob("*.py") if "radargram_high" in path.read_text()
    ]
    others = [str(path) for path in spelled if path.parent.name != "gpr"]
    assert others == ["api.py"]  # the example in its head

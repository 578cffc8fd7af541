"""The engine knows no spacecraft: what is said of one stands in its mission package."""

import re
from pathlib import Path

PIPELINE = Path(__file__).parents[2] / "pipeline"
PACKAGE = PIPELINE / "missions" / "zhurong"
CLOCK = PIPELINE / "clock"
"""Local times of Mars are a service to any mission that has a site there; no spacecraft is named in it."""
NAMES = re.compile("zhurong|tianwen|rover|mars", re.IGNORECASE)
SPACECRAFT = re.compile(r"zhurong|tianwen|rover|change-5|HX-?1|\broper\b|\bgras\b", re.IGNORECASE)
MODULES = sorted(path for path in PIPELINE.rglob("*.py") if PACKAGE not in path.parents)


def lines_with(pattern, modules):
    return [
        f"{path.relative_to(PIPELINE)}:{number}: {line.strip()}"
        for path in modules
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_engine_names_no_spacecraft_and_no_planet():
    assert lines_with(NAMES, [path for path in MODULES if CLOCK not in path.parents]) == []


def test_the_engine_names_no_archive_and_no_spacecraft_by_another_word():
    assert lines_with(SPACECRAFT, MODULES) == []


def test_an_instrument_is_spelled_in_its_own_folder_alone():
    spelled = [
        path.relative_to(PIPELINE) for path in PIPELINE.rglob("*.py") if "radargram_high" in path.read_text()
    ]
    others = [str(path) for path in spelled if path.parent.name != "gpr"]
    assert others == ["api.py"]  # the example in its head

"""The table of guarantees names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "guarantees.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| fault")
]


def test_each_row_is_a_fault_a_promise_and_tests():
    assert len(ROWS) > 35
    assert [row for row in ROWS if len(row) != 3 or not all(row)] == []
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_each_row_names_test_files_that_exist_and_hold_tests():
    for fault, _, named in ROWS:
        paths = re.findall(r"`(tests/[a-z_/0-9]+\.py)`", named)
        assert paths, fault
        for path in paths:
            assert "def test_" in (ROOT / path).read_text(), path

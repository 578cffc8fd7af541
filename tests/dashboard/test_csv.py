"""The CSV button's script: text cells are no formulas of a spreadsheet, numbers stay as they are."""

import csv
import io
import json
import shutil
import subprocess

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard import panels

NODE = shutil.which("node")
RUN = """
const file = "x.csv", window = {}, document = {createElement: () => ({click() {}})}
let saved
globalThis.Blob = class { constructor(parts) { saved = parts.join("") } }
globalThis.URL = {createObjectURL: () => "", revokeObjectURL() {}}
const source = {data: DATA}, names = NAMES
{CSV}
process.stdout.write(saved)
"""


def saved(data, names=None):
    """The rows of the file that the button saves of a source."""
    if NODE is None:
        pytest.skip("node is not here")
    names = names or {name: name for name in data}
    code = RUN.replace("{CSV}", "{" + panels._CSV + "}")
    code = code.replace("DATA", json.dumps(data)).replace("NAMES", json.dumps(names))
    made = subprocess.run([NODE, "-e", code], capture_output=True, check=True, timeout=60).stdout.decode()
    return list(csv.reader(io.StringIO(made, newline="")))


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_is_text(begin):
    head, row = saved({"species": [begin + 'HYPERLINK("http://x";"y")'], "height": [7]})
    assert row == ["'" + begin + 'HYPERLINK("http://x";"y")', "7"]
    assert head == ["species", "height"]


def test_numbers_are_never_changed():
    _, *rows = saved({"value": [-1.5, 2e-300, -0.0, 12]})
    assert [float(one) for (one,) in rows] == [-1.5, 2e-300, -0.0, 12.0]
    assert not any("'" in one for (one,) in rows)


def test_other_texts_are_as_they_were():
    _, row = saved({"species": ['Fe "II", 3-4']})
    assert row == ['Fe "II", 3-4']


def test_a_column_whose_name_is_a_formula_is_text():
    head, _ = saved({"a": [1]}, {"a": "=1+1"})
    assert head == ["'=1+1"]

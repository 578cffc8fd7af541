"""The tutorial notebook runs from top to bottom, and draws what it says."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("matplotlib")

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's own transport
def test_the_tutorial_notebook_runs_and_draws_three_pictures(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    notebook = nbformat.read(REPOSITORY / "docs" / "tutorial.ipynb", 4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": REPOSITORY}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert not [output for output in outputs if output.output_type == "error"]


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(REPOSITORY / "docs" / "tutorial.ipynb", 4)
    assert not any(cell.get("outputs") for cell in notebook.cells)

"""What docs/missions.md says is done here: a package of `downlink mission new`, in an empty venv beside our wheel."""

import hashlib
import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from downlink_pipeline.commands.scaffold.package import new_package
from downlink_pipeline.model.errors import ConfigError

ROOT = Path(__file__).parents[2]
LOOK = """
import json, sys
from bokeh.document import Document
from downlink_pipeline.api import open_pass
from downlink_pipeline.commands.tabs import package_tabs
from downlink_pipeline.dashboard.page import Page
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.tabs import makers, shown
from downlink_pipeline.messages import topics

tabs = package_tabs()
state = State(topics.unpack_product, shown(tabs))
for number, product in enumerate(open_pass("mysat/first.packets", mission="mysat").products()):
    message = topics.product_message(product)
    state.receive(message.topic, message.payload, float(number))
page = Page(Document(), state, None, looks=tuple(makers(tabs)))
titles = [tab.title for tab in page.looks.root.tabs]
page.looks.root.active = titles.index("Detector")
page.tick()
values = page.looks.in_sight._plots[0].tail.source.data["curve_0"]
print(json.dumps([titles, [float(value) for value in values[:3]]]))
"""


@pytest.fixture(scope="module")
def venv(installed, unpack, tmp_path_factory):
    """An empty venv with our wheel and the new package's; the libraries are those of the tests."""
    folder = tmp_path_factory.mktemp("new")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=60)
    places = [installed, folder / "wheel" / "site", sysconfig.get_path("purelib"), *shared()]
    [site] = (folder / "venv").glob("lib/python*/site-packages")
    (site / "places.pth").write_text("".join(f"{place}\n" for place in places))

    def run(*words, status=0):
        command = [folder / "venv/bin/python", "-P", *map(str, words)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout

    before = digest(installed)
    run("-m", "downlink_pipeline", "mission", "new", "mysat")
    (folder / "wheel").mkdir()
    unpack(folder / "mysat", folder / "wheel")
    run.folder = folder
    yield run
    assert digest(installed) == before


def shared():
    """Where else the libraries of the tests lie."""
    return [path for path in sys.path if path.endswith("site-packages")]


def digest(folder):
    """Of every byte of ours but what Python compiles."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_check_finds_the_package(venv):
    told = venv("-m", "downlink_pipeline", "check", "mysat")
    assert "package downlink_mysat of downlink-mysat 0.1.0" in told
    assert "detector" in told


def test_its_products_are_declared_without_a_pass(venv):
    told = venv("-m", "downlink_pipeline", "topics", "mysat", "--format", "markdown")
    assert "## `mysat/{stream}/product/detector/values`" in told
    assert "| `value` | `<f8` | row | `V` | counts by the scale of the calibration |" in told


def test_it_publishes_its_products(venv):
    venv("-m", "downlink_pipeline", "replay", "mysat/first.packets", "-m", "mysat", "--speed", "max", "--json")


def test_it_writes_files(venv):
    venv("-m", "downlink_pipeline", "products", "mysat/first.packets", "-m", "mysat", "--out", "files")
    names = [path.name for path in (venv.folder / "files").iterdir()]
    assert any(re.fullmatch(r"mysat_detector_values_\d+_\d+\.nc", name) for name in names), names


def test_it_shows_its_tab(venv):
    """Counts begin with 100, 110, 119 (100 + 50 sin(n/5), rounded), so values with 51, 56, 60.5."""
    titles, values = json.loads(venv("-c", LOOK).splitlines()[-1])
    assert "Detector" in titles
    assert values == [51.0, 56.0, 60.5]


def test_its_own_tests_pass(venv):
    assert "3 passed" in venv("-m", "pytest", "-q", "-p", "no:cacheprovider", "mysat/tests")


def test_a_package_over_an_xtce_file_reads_its_first_number(tmp_path):
    files = new_package("rover-x", tmp_path / "x", [ROOT / "configs/zhurong/telemetry.xml"])
    kinds = next(path for path in files if path.name == "kinds.py").read_text()
    test = next(path for path in files if path.parent.name == "tests").read_text()
    container = re.search(r'"rover-x", "(\w+)", "(\w+)", \{"(\w+)"', test)[2]
    assert container in (ROOT / "configs/zhurong/telemetry.xml").read_text()
    compile(kinds, "kinds.py", "exec")
    assert next(path for path in files if path.name == "first.packets").stat().st_size > 1000


@pytest.mark.parametrize("name", ["", "My Sat", "../up", "a/b", "-x"])
def test_what_cannot_be_a_topic_is_no_name(name, tmp_path):
    with pytest.raises(ConfigError, match="no name of a mission"):
        new_package(name, tmp_path / "x", [])


def test_nothing_that_is_there_is_replaced(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ConfigError, match="exists already"):
        new_package("mysat", tmp_path, [])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

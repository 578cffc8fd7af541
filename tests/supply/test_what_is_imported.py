"""Commands load what they need and no more: a service starts, and a command answers, before heavy libraries would.

The modules are those of the process at its end; times would depend on the machine.
"""

import json
import os
import signal
import subprocess
import sys

import pytest

SCIENCE = {
    "scipy",
    "pybaselines",
    "pandas",
    "xarray",
    "netCDF4",
    "zarr",
    "cdflib",
    "pyarrow",
    "duckdb",
    "starlette",
    "uvicorn",
    "dask",
    "distributed",
}
HEAVY = SCIENCE | {"matplotlib", "bokeh", "tornado", "amqtt", "PIL", "yaml", "cryptography"}
OWN = {
    f"downlink_pipeline.{room}"
    for room in ("archive", "conversion", "pictures", "commands.reprocess", "simulate", "instruments.libs")
}
COMMAND_LINE = (
    HEAVY
    | OWN
    | {
        "numpy",
        "pydantic",
        "structlog",
        "erfa",
        "msgpack",
        "downlink_pipeline.commands.live",
        "downlink_pipeline.commands.recordings",
        "downlink_pipeline.services.run",
    }
)
PROCESS = """
import atexit, json, os, sys
path, *words = sys.argv[1:]
atexit.register(lambda: open(path, "w").write(json.dumps([sorted(sys.modules), threads()])))
threads = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
sys.argv = ["downlink", *words]
from downlink_pipeline.__main__ import main
main()
"""


@pytest.fixture
def loaded(tmp_path):
    """The modules that a command has loaded at its end; with `until`, SIGTERM ends it once its log says that."""

    def run(*words, until="", statuses=(0,)):
        path = tmp_path / "modules.json"
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, path, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "DOWNLINK_HEALTH": ""},
        )
        told = []
        while until and until not in "".join(told) and (line := process.stdout.readline()):
            told.append(line)
        if until:
            process.send_signal(signal.SIGTERM)
        told.append(process.communicate(timeout=60)[0])
        assert process.returncode in statuses, "".join(told)
        modules, run.n_threads = json.loads(path.read_text())
        return set(modules)

    return run


@pytest.fixture
def generic(tmp_path):
    """A mission without instruments, and a pass of three packets of it."""
    (tmp_path / "generic").mkdir()
    (tmp_path / "generic/fields.csv").write_text("name,data_type,bit_length\nVOLTS,uint,16\n")
    (tmp_path / "generic/mission.toml").write_text(
        'name = "generic"\n[link]\nframing = "packets"\n[dictionary]\ncsv = "fields.csv"\n'
    )
    recording = tmp_path / "three.packets"
    recording.write_bytes(b"".join(bytes([0x08, 100, 0xC0, count, 0, 1, 0, count]) for count in range(3)))
    return tmp_path / "generic", recording


@pytest.mark.parametrize("words", [["--help"], ["replay", "--help"], ["stage", "decode", "--help"]], ids=" ".join)
def test_help_loads_the_command_line_alone(loaded, words):
    assert not loaded(*words) & (COMMAND_LINE - {"pydantic"})  # typer itself looks for pydantic at a command


def test_checking_a_generic_mission_loads_no_instrument(loaded, generic):
    assert not loaded("check", generic[0]) & (HEAVY | OWN)


def test_replaying_a_generic_mission_loads_no_instrument(loaded, generic):
    mission, recording = generic
    assert not loaded("replay", recording, "-m", mission) & (HEAVY | OWN)


@pytest.fixture
def stages(loaded, tmp_path):
    """The modules of all stages in one process, once they are ready; there is no broker."""

    def run(mission):
        words = ["stage", "all", "-m", mission, "--source", "live=udp://127.0.0.1:0", "--state", tmp_path / "state"]
        return loaded(*words, "--broker", "mqtt://127.0.0.1:1", until='"ready"')

    return run


def test_services_of_a_generic_mission_load_no_instrument(stages, generic):
    assert not stages(generic[0]) & (
        HEAVY
        | OWN
        | {
            "downlink_pipeline.commands.live",
            "downlink_pipeline.commands.recordings",
            "downlink_pipeline.dashboard",
        }
    )


def test_what_an_instrument_needs_is_loaded_before_a_pass_comes(stages):
    """A worker that imports for seconds in the middle of a pass is taken for silent; of SciPy it is one part."""
    modules = stages("zhurong")
    assert "scipy.linalg.lapack" in modules
    assert not modules & {
        "pybaselines",
        "scipy.signal",
        "scipy.stats",
        "scipy.optimize",
        "PIL",
        "downlink_pipeline.missions.zhurong.simulator",
    }


def test_checking_a_mission_does_not_load_what_its_instruments_need(loaded):
    assert not loaded("check", "zhurong") & HEAVY


def test_a_command_computes_in_one_thread(loaded):
    """OpenBLAS starts a thread for each core where nobody says otherwise; its results then depend on the cores."""
    assert "numpy" in loaded("check", "zhurong")
    assert loaded.n_threads == 1


def test_the_live_page_keeps_nothing_of_what_reads_missions(loaded):
    """They are read by a child process: modules of decoding would take 12 MB of the server for as long as it runs."""
    words = ("dashboard", "--port", "0", "--broker", "mqtt://127.0.0.1:1")
    modules = loaded(*words, until="waiting for", statuses=(0, 130))
    assert "downlink_pipeline.dashboard.server" in modules
    rooms = ("mission.loading", "processing", "replay", "link.receiver", "products.suite", "dictionary.xtce.reader")
    assert not modules & {"erfa", *(f"downlink_pipeline.{room}" for room in rooms)}

"""The bundled passes and their manifest, made anew.

`python -m downlink_pipeline.missions.zhurong.simulator.bundle FOLDER`
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .run import simulate
from .scenario import Faults, Scenario

PASSES = {
    "clean.cadu": Scenario(sol=11, seed=11, duration_s=360.0, orbiter=True),
    "damaged.cadu": Scenario(
        sol=12,
        seed=12,
        duration_s=300.0,
        faults=Faults(
            symbol_errors=16,
            symbol_error_share=0.25,
            lost_frames=14,
            noise_bytes=4000,
            duplicate_frames=6,
            other_channel=True,
            uncorrectable_frames=4,
        ),
    ),
    "night.cadu": Scenario(sol=12, seed=13, duration_s=600.0, night=True),
}


def command(name: str, scenario: Scenario) -> str:
    """The command line that makes this pass: options only where they are not the default."""
    words = ["downlink", "simulate", "--out", name, "--sol", str(scenario.sol), "--seed", str(scenario.seed)]
    words += ["--duration", f"{scenario.duration_s:g}", "--profile", scenario.profile]
    words += ["--orbiter"] if scenario.orbiter else []
    words += ["--night"] if scenario.night else []
    for field in dataclasses.fields(Faults):
        value = getattr(scenario.faults, field.name)
        if value != field.default:
            words.append("--" + field.name.replace("_", "-"))
            words += [] if value is True else [f"{value:g}"]
    return " ".join(words)


def make(folder: Path) -> None:
    """Write all passes and `manifest.json` into the folder."""
    passes = {name: _make_one(folder, name, scenario) for name, scenario in PASSES.items()}
    versions = {"numpy": np.__version__, "python": platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    versions["openjpeg"] = _openjpeg_version()
    manifest = {"made_with": versions, "passes": passes}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def _openjpeg_version() -> str:
    """Of the library that compresses the cameras' stripes."""
    from PIL import features  # noqa: PLC0415 -- slow to import

    return str(features.version("jpg_2000"))


def _make_one(folder: Path, name: str, scenario: Scenario) -> dict[str, Any]:
    summary = simulate(folder / name, scenario)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in summary.files
    }
    return {
        "command": command(name, scenario),
        "seed": scenario.seed,
        "cadus": summary.n_cadus,
        "duration_s": summary.pass_duration_s,
        "files": files,
    }


def main(arguments: Sequence[str]) -> None:
    """Make the bundled passes in the folder named, or in `replay_data`."""
    make(Path(arguments[0] if arguments else "replay_data"))


if __name__ == "__main__":
    main(sys.argv[1:])

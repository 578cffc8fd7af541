"""Write a new mission package: one instrument with calibration, kind, look and test, for XTCE files or an example.

In: a name, and XTCE files. Out: a folder that pip installs, and a few packets to test it with. The instrument reads the
first container of the XTCE files that has a number.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from struct import pack

import numpy as np

from ...conversion.formats import read_definition
from ...conversion.packets import make_packets
from ...dictionary.compile.plan import Plan, compile_plan
from ...dictionary.examples import example_rows
from ...mission.schema import TOPIC_LEVEL
from ...model.errors import ConfigError
from ...system.files import whole_file
from . import texts

N_PACKETS = 60
_APID = 100
_MODULES = frozenset({"kinds"})
"""Names of other modules in an instrument's folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """Container, parameter and unit that the instrument reads, and packets of it."""

    container: str
    parameter: str
    unit: str
    packets: bytes


def new_package(name: str, folder: Path, xtce: Sequence[Path]) -> list[Path]:
    """Write the package into a new folder; returns its files. ConfigError for an invalid name, folder or dictionary."""
    if not re.fullmatch(TOPIC_LEVEL, name):
        raise ConfigError(
            f"'{name}' is no name of a mission: lower-case letters, digits, '_', '-' and '.', a letter or digit first"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists already: name another folder with --out")
    slug = re.sub(r"[^a-z0-9]+", "-", name).strip("-")
    module = f"downlink_{slug.replace('-', '_')}"
    source = _of_xtce(xtce) if xtce else _example()
    instrument = "detector" if not xtce else _identifier(source.container)
    words = {
        "name": name,
        "slug": slug,
        "module": module,
        "instrument": instrument,
        "class": _class_name(instrument),
        "title": instrument.replace("_", " ").capitalize(),
        "container": _quoted(source.container),
        "parameter": _quoted(source.parameter),
        "unit": _quoted(source.unit),
        "system": slug.replace("-", "_"),
        "clock": texts.CLOCK if not xtce else "",
        "xtce": json.dumps([path.name for path in xtce] or ["telemetry.xml"]),
        "dictionary_files": ", ".join(f"`{module}/{path.name}`" for path in xtce) or f"`{module}/telemetry.xml`",
    }
    files: dict[str, bytes] = {
        path: Template(text).substitute(words).encode()
        for path, text in _texts(module, instrument, bool(xtce)).items()
    }
    files |= {f"{module}/{path.name}": path.read_bytes() for path in xtce}
    files |= {f"{module}/{instrument}/__init__.py": b"", "first.packets": source.packets}
    for path, content in files.items():
        with whole_file(folder / path) as file:
            file.write(content)
    return [folder / path for path in files]


def _texts(module: str, instrument: str, has_xtce: bool) -> dict[str, str]:
    found = {
        "pyproject.toml": texts.PYPROJECT,
        "README.md": texts.README,
        f"{module}/__init__.py": texts.INIT,
        f"{module}/mission.toml": texts.MISSION,
        f"{module}/{instrument}/kinds.py": texts.KINDS,
        f"{module}/{instrument}/{instrument}.py": texts.INSTRUMENT,
        f"{module}/{instrument}/calibration.toml": texts.CALIBRATION,
        f"tests/test_{instrument}.py": texts.TEST,
    }
    return found if has_xtce else found | {f"{module}/telemetry.xml": texts.TELEMETRY}


def _example() -> Source:
    """The example: a packet each second, with a sine of counts."""
    counts = np.rint(100 + 50 * np.sin(np.arange(N_PACKETS) / 5)).astype(int).tolist()
    packets = b"".join(
        pack(">HHHIH", 0x0800 | _APID, 0xC000 | second, 5, second, count) for second, count in enumerate(counts)
    )
    return Source("DETECTOR", "COUNTS", "V", packets)


def _of_xtce(paths: Sequence[Path]) -> Source:
    """The first container with a number outside of the primary header, and packets of all containers."""
    for path in paths:
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such file")
    if len({path.name for path in paths}) < len(paths):
        raise ConfigError("two of the XTCE files have the same name")
    dictionary = read_definition(list(paths)).dictionary
    plan = compile_plan(dictionary, None)
    made = make_packets(dictionary, plan, N_PACKETS, 0)
    shared = _shared_columns(plan)
    for node, rows in example_rows(plan):
        if rows is None or node.key not in made.containers:
            continue
        for name, column in rows.columns.items():
            is_number = isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "iuf"
            if is_number and name not in shared:
                unit = rows.units.get(name, "") or "1"
                return Source(node.key, name, unit, b"".join(made.packets))
    raise ConfigError(f"{', '.join(map(str, paths))}: no container has a number that an instrument could read")


def _shared_columns(plan: Plan) -> frozenset[str]:
    """Columns that all containers have, such as the primary header; none if there is one container."""
    columns = [frozenset(rows.columns) for _, rows in example_rows(plan) if rows is not None]
    return frozenset.intersection(*columns) if len(columns) > 1 else frozenset()


def _identifier(container: str) -> str:
    """The name of the folder and module of an instrument, from that of its container."""
    word = re.sub(r"[^a-z0-9]+", "_", container.lower()).strip("_")
    is_usable = word.isidentifier() and not keyword.iskeyword(word) and word not in _MODULES
    return word if is_usable else f"instrument_{word}".strip("_")


def _class_name(instrument: str) -> str:
    """The name of the class of an instrument; not one that its module imports, such as `Quality`."""
    name = "".join(part.capitalize() for part in instrument.split("_"))
    taken = {*re.findall(r"[A-Z]\w+", texts.INSTRUMENT), *keyword.kwlist}
    return f"{name}Instrument" if name in taken else name


def _quoted(text: str) -> str:
    """Text for double quotes in Python and TOML."""
    return json.dumps(text, ensure_ascii=False)[1:-1]

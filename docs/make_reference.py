"""Write the pages that are made from the code: `make docs`. A test holds that they are up to date.

docs/topics.md, docs/reference/: commands.md, mission-file.md, python.md, quality.md.
"""

# ruff: noqa: INP001 - a script beside the pages that it writes
import html
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from downlink_pipeline import api as recording
from downlink_pipeline.commands import recordings as app
from downlink_pipeline.commands.topic_page import page
from downlink_pipeline.history import history
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.mission.schema import MissionTable
from downlink_pipeline.model import batches
from downlink_pipeline.model.batches import DOUBTFUL, QUALITY_MEANINGS, Quality
from pydantic import BaseModel

DOCS = Path(__file__).resolve().parent
PUBLIC = (
    recording.open_pass,
    recording.open_bundled,
    recording.RecordedPass,
    recording.open_history,
    history.History,
    batches.FrameBatch,
    batches.PacketBatch,
    batches.ColumnBatch,
    batches.Ragged,
    batches.Product,
    batches.Quantity,
    batches.TimeRange,
)


def topics() -> str:
    """Every topic of the reference mission, as its bundled pass fills it."""
    recorded = DOCS.parent / "replay_data" / "clean.cadu"
    return page(app.describe_topics([recorded], load_mission("zhurong"), lambda _: None)[0])


def commands() -> str:
    """Every command with its options, as `--help` tells them."""
    command = [sys.executable, "-m", "typer", "downlink_pipeline.cli.main", "utils", "docs", "--name", "downlink"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DOWNLINK_")}
    told = subprocess.run(
        command, capture_output=True, check=True, text=True, env=environment | {"COLUMNS": "100"}, cwd=DOCS.parent
    )
    return html.unescape(told.stdout).replace("# `downlink`", "# Commands", 1).rstrip() + "\n"


def mission_file() -> str:
    """Every key of a mission file, with its type, its default and what it means."""
    return "\n".join(_mission_file()) + "\n"


def _mission_file() -> Iterator[str]:
    yield from (
        "# The mission file",
        "",
        "`mission.toml` of a mission's folder. Unknown keys are errors; `downlink check M`",
    )
    yield "tells every problem at once, with line and key. More of it: [the link layer](../link-layer.md) and"
    yield from ("[the dictionary](../dictionary.md).", "")
    tables = {model: title for title, model in _tables(MissionTable, "The file")}
    for model, title in tables.items():
        yield from (f"## {title}", "", "| key | type | default | |", "| --- | --- | --- | --- |")
        for name, field in model.model_fields.items():
            default = "**needed**" if field.is_required() else f"`{_toml(field.default)}`"
            yield f"| `{name}` | {_kind(model, name)} | {default} | {' '.join((field.description or '').split())} |"
        yield ""


def _tables(model: type[BaseModel], title: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield title, model
    for field in model.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if inspect.isclass(part) and issubclass(part, BaseModel):
                yield from _tables(part, (part.__doc__ or "").rstrip("."))


def _kind(model: type[BaseModel], name: str) -> str:
    """The type of a key, in words."""
    told = model.model_json_schema()["properties"][name]
    parts = [one for one in told.get("anyOf", [told]) if one.get("type") != "null"]
    return " or ".join(map(_words, parts))


def _words(told: dict[str, Any]) -> str:
    if "enum" in told:
        return ", ".join(f"`{one}`" for one in told["enum"])
    if "$ref" in told:
        return "table"
    if told.get("type") == "array":
        return f"list of {_words(told['items']).removesuffix('s')}s"
    low, high = told.get("minimum"), told.get("maximum")
    span = f" {low:,} to {high:,}" if low is not None and high is not None else ""
    return f"{told.get('type', 'table').replace('object', 'table')}{span}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, BaseModel):
        return "none"
    return f'"{value}"' if isinstance(value, str) else str(value)


def quality() -> str:
    """The quality bits."""
    rows = [
        f"| {bit.value} | `{bit.name}` | {QUALITY_MEANINGS[str(bit.name)]} | {'yes' if bit & DOUBTFUL else 'no'} |"
        for bit in Quality
    ]
    head = (
        "# Quality bits",
        "",
        "Of packets, columns and rows of products. A row is usable where no bit makes it doubtful:",
        f"`(quality & {int(DOUBTFUL)}) == 0`.",
        "The others tell how it came: a corrected symbol is exact, and what is missing before a row is",
        "not in it. Files, xarray and Python have it as `usable`.",
        "",
    )
    return "\n".join((*head, "| bit | name | meaning | doubtful |", "| --- | --- | --- | --- |", *rows)) + "\n"


def python() -> str:
    """The Python interface: signatures and docstrings."""
    return "\n".join(_python()) + "\n"


def _python() -> Iterator[str]:
    yield from (
        "# Python interface",
        "",
        "`from downlink_pipeline import open_pass`; what travels is in `downlink_pipeline.model.batches`.",
        "",
    )
    for thing in PUBLIC:
        yield from _described(thing, "##")
        if inspect.isclass(thing) and thing is recording.RecordedPass:
            methods = [value for name, value in vars(thing).items() if inspect.isfunction(value) and name[0] != "_"]
            for method in methods:
                yield from _described(method, "###")


def _described(thing: Any, level: str) -> Iterator[str]:
    signature = str(inspect.signature(thing)).replace("'", "")
    yield from (f"{level} {thing.__name__}", "", "```python", f"{thing.__name__}{signature}", "```", "")
    yield from (inspect.cleandoc(thing.__doc__ or ""), "")


PAGES: dict[str, Callable[[], str]] = {
    "topics.md": topics,
    "reference/commands.md": commands,
    "reference/mission-file.md": mission_file,
    "reference/python.md": python,
    "reference/quality.md": quality,
}


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), "utf-8")

"""What XTCE files use, and what becomes of it when a mission is loaded: behind `downlink check --dictionary FILE`.

The files are read and compiled as the loader does it; every element is counted as supported, as no telemetry, as passed
over with a notice, or as refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.errors import ConfigError, Problem
from .compile.plan import Plan, compile_plan
from .model.definitions import Dictionary
from .model.document import Node, Reading
from .model.notices import Notice, located
from .xtce.reader import NOT_TELEMETRY, Source, parse_sources, read_documents

SUPPORTED, DESCRIBES, PASSED_OVER, REFUSED = "supported", "not telemetry", "passed over", "refused"
BEYOND = "is not implemented"


@dataclass(frozen=True, slots=True)
class Row:
    """One element, what becomes of it, how often it is there, and where it is first."""

    element: str
    status: str
    n_uses: int
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. `plan` and `dictionary`: None where the loader would refuse the files, for `problems`."""

    rows: tuple[Row, ...]
    notices: tuple[Notice, ...]
    problems: tuple[Problem, ...]
    dictionary: Dictionary | None = None
    plan: Plan | None = None


def examine(
    sources: Sequence[Source],
    *,
    strict: bool = False,
    roots: Sequence[str] = (),
    leading_size_in_bits: bool = False,
) -> Examination:
    """Read and compile the files, and count their elements."""
    files = [source.file for source in sources]
    reading = Reading(*files, strict=strict, leading_size_in_bits=leading_size_in_bits)
    dictionary = read_documents(sources, reading, roots)
    problems, plan = reading.problems, None
    refused: list[Problem] = []
    if dictionary is not None and not problems:
        try:
            plan = compile_plan(dictionary, roots or None)
        except ConfigError as error:
            refused = list(error.problems)
    counts = _Counts(reading, refused)
    for root in parse_sources(sources, Reading(*files)):
        if root is not None and root.tag == "SpaceSystem":
            counts.count(root)
    notices = plan.notices if plan is not None else reading.notices.collected(reading.files)
    whole = (*problems, *refused)
    return Examination(tuple(counts.rows()), notices, whole, dictionary if plan is not None else None, plan)


class _Counts:
    """Elements by name and by what becomes of them."""

    def __init__(self, reading: Reading, refused: Sequence[Problem]) -> None:
        self.files = reading.files
        self.marks = reading.marks()
        self.lines = {(problem.file, problem.line): problem.text for problem in refused if problem.line}
        self.found: dict[tuple[str, str], tuple[int, int]] = {}

    def count(self, root: Node) -> None:
        waiting = [(root, SUPPORTED)]
        while waiting:
            here, around = waiting.pop()
            name, status = self._judge(here, around)
            n, line = self.found.get((name, status), (0, here.line))
            self.found[name, status] = n + 1, min(line, here.line)
            # What is inside of something passed over or refused as a whole goes with it.
            inside = status if status != SUPPORTED and name == here.tag else around
            waiting += [(child, inside) for child in here.children]

    def _judge(self, node: Node, around: str) -> tuple[str, str]:
        if around != SUPPORTED:
            return node.tag, around
        if node.tag in NOT_TELEMETRY or node.tag == "Header":
            return node.tag, DESCRIBES
        mark = self.marks.get((node.line, node.tag))
        if mark is None:
            (place,) = located([Problem("", self.files[0], node.line)], self.files)
            text = self.lines.get((place.file, place.line)) if node.tag.endswith(("Container", "Entry")) else None
            return (f"{node.tag} ({text})", REFUSED) if text is not None else (node.tag, SUPPORTED)
        text, is_problem = mark
        status = REFUSED if is_problem else PASSED_OVER
        whole = text.startswith(f"element {node.tag}")
        return node.tag if whole else f"{node.tag} ({text.removesuffix(BEYOND).strip()})", status

    def rows(self) -> list[Row]:
        found = []
        for (element, status), (n, line) in sorted(self.found.items()):
            (place,) = located([Problem("", self.files[0], line)], self.files)
            found.append(Row(element, status, n, place.file, place.line))
        return found

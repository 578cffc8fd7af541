"""What an XTCE file uses, and what of it is implemented: the list behind `downlink check --dictionary FILE`."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from pipeline.dictionary.document import Node, Reading, parse
from pipeline.dictionary.xtce import Source, read_documents

BEYOND = "is not implemented"


class Use(NamedTuple):
    """How often a file uses an element, and whether that is implemented. An element with an attribute or value
    that is not has a row of its own that names it.
    """

    element: str
    n_uses: int
    supported: bool


def survey(document: bytes, file: str = "telemetry.xml") -> list[Use]:
    """Every element of the file by name. Raises ConfigError where the file is no XTCE at all."""
    reading = Reading(file)
    root = parse(document, reading)
    if root is None or root.tag != "SpaceSystem":
        if root is not None:
            reading.problem(root, f"the root element is {root.tag}, not SpaceSystem")
        reading.check()
        return []
    found = Reading(file)
    read_documents([Source(document, file)], found)
    beyond = {
        (problem.line, problem.key.split(' "')[0]): problem.text
        for problem in found.problems
        if problem.text.endswith(BEYOND) or BEYOND in problem.text
    }
    counts: Counter[tuple[str, bool]] = Counter()
    _count(root, beyond, counts)
    return [Use(element, n, supported) for (element, supported), n in sorted(counts.items())]


def _count(node: Node, beyond: dict[tuple[int, str], str], counts: Counter[tuple[str, bool]]) -> None:
    waiting = [(node, True)]
    while waiting:
        here, inside = waiting.pop()
        text = beyond.get((here.line, here.tag))
        whole = inside and (text is None or not text.startswith(f"element {here.tag}"))
        name = here.tag if text is None or not whole else f"{here.tag} ({text.removesuffix(BEYOND).strip()})"
        counts[name, whole and text is None] += 1
        waiting += [(child, whole) for child in here.children]

"""Equations of AIT: over fields, functions and constants of a packet."""

from __future__ import annotations

import ast
import re
from typing import Any

from . import expressions
from .expressions import Known
from .losses import Losses
from .yaml_lines import Mapping

SIGNATURE = re.compile(r"\s*(\w+)\s*\(([^)]*)\)\s*")


class Equations:
    """Resolves names in the equations of a packet: fields (also raw.NAME and packet.NAME), functions, constants."""

    def __init__(self, known: dict[str, Known], spec: Mapping, losses: Losses) -> None:
        self.known = known
        constants = spec.get("constants")
        self.constants: dict[str, ast.expr] = {
            str(name): ast.Constant(value)
            for name, value in (constants.items() if isinstance(constants, Mapping) else ())
            if isinstance(value, int | float)
        }
        self.functions: dict[str, tuple[tuple[str, ...], ast.expr]] = {}
        functions = spec.get("functions")
        if not isinstance(functions, Mapping):
            return
        for signature, body in functions.items():
            found = SIGNATURE.fullmatch(str(signature))
            parsed = expressions.parse(str(body), lambda _: None)
            if found is None or parsed is None:
                losses.add("functions", str(signature), "is not converted", functions.lines[signature])
            else:
                arguments = tuple(each.strip() for each in found[2].split(",") if each.strip())
                self.functions[found[1]] = arguments, parsed

    def parsed(self, text: Any) -> ast.expr | None:
        """The expression of a text, with function calls expanded; None if it cannot be parsed."""
        found = expressions.parse(str(text), lambda _: None)
        try:
            return expressions.expanded(found, self.functions) if found is not None else None
        except RecursionError:
            return None

    def reader(self) -> expressions.Reader:
        def resolve(path: tuple[str, ...]) -> Known | ast.expr | None:
            rest = path[1:] if path[0] in {"raw", "packet"} and len(path) > 1 else path
            return (self.known.get(rest[0]) or self.constants.get(rest[0])) if len(rest) == 1 else None

        return expressions.Reader(resolve, floors=False)

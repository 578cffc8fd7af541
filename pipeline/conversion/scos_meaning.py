"""Calibrations, texts and limits of SCOS-2000 parameters.

Curves are in caf and cap, polynomials in mcf, logarithms in lgf, texts in txf and txp, limits in ocf and ocp.
Source: SCOS-2000 Database Import ICD, EGOS-MCS-S2K-ICD-0001 7.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from ..dictionary.model.calibrators import THIS
from ..dictionary.model.conditions import Condition
from ..dictionary.model.encodings import Calibrator, Formula, Polynomial, Spline
from ..dictionary.model.parameter_types import (
    Alarm,
    BooleanType,
    EnumeratedType,
    Limits,
    NumberType,
    ParameterType,
    Range,
)
from .places import equal

SOFT, HARD = 2, 4
LEVELS = {"S": SOFT, "H": HARD}
RADIX = {"H": 16, "O": 8}
POLYNOMIAL = ("pol1", "pol2", "pol3", "pol4", "pol5")


class Meanings:
    """Applies calibrations and limits to types. `tables`: rows by name of the table; `keys`: of parameters."""

    def __init__(self, tables: Mapping[str, Sequence[Any]], keys: Mapping[str, str]) -> None:
        self.tables = tables
        self.keys = keys

    def _of(self, table: str, column: str, value: str) -> list[Any]:
        return [row for row in self.tables.get(table, ()) if row[column] == value]

    def applied(self, row: Any, kind: ParameterType) -> ParameterType:
        """The type with the calibration, texts and limits of a parameter. `row`: its line of pcf."""
        if row["categ"] == "S" and isinstance(kind, NumberType | BooleanType):
            kind = self._labelled(row, kind)
        elif isinstance(kind, NumberType):
            kind = self._calibrated(row, kind)
        elif row["curtx"]:
            row.lost(
                "pcf", row["name"], f"calibration {row['curtx']} of a value that is not a number is not converted"
            )
        return self._limited(row, kind)

    def _labelled(self, row: Any, kind: NumberType | BooleanType) -> ParameterType:
        if self._of("cur", "pname", row["name"]):
            row.lost("cur", row["name"], "texts that depend on another parameter are not converted")
        texts = self._of("txp", "numbr", row["curtx"]) if row["curtx"] else []
        real = any(each["rawfmt"] == "R" for each in self._of("txf", "numbr", row["curtx"]))
        if not texts or real or kind.encoding.is_float:
            why = "texts of real numbers are not converted" if texts else f"there are no texts {row['curtx']}"
            row.lost("txf", row["name"], why)
            return kind
        lows = [each.integer("from", 0) for each in texts]
        labels = [(low, each.integer("to", low), each["altxt"]) for low, each in zip(lows, texts, strict=True)]
        return EnumeratedType("", kind.encoding, tuple(sorted(labels)), row["unit"])

    def _calibrated(self, row: Any, kind: NumberType) -> NumberType:
        default = self._calibrator(row, row["curtx"]) if row["curtx"] else None
        contexts: list[tuple[Condition, Calibrator]] = []
        for each in sorted(self._of("cur", "pname", row["name"]), key=lambda each: each.integer("pos", 0)):
            found = self._calibrator(each, each["select"])
            if found is not None and each["rlchk"] in self.keys:
                contexts.append((equal(self.keys[each["rlchk"]], each["valpar"]), found))
        if default is None and not contexts:
            return kind
        encoding = replace(kind.encoding, calibrator=default or Polynomial((0.0, 1.0)), contexts=tuple(contexts))
        return replace(kind, encoding=encoding, real=True)

    def _calibrator(self, row: Any, number: str) -> Calibrator | None:
        """The calibration with a number, from mcf, lgf or caf; None, and a loss, if there is none."""
        for each in self._of("mcf", "ident", number):
            return Polynomial(tuple(float(each[name] or 0) for name in POLYNOMIAL))
        for each in self._of("lgf", "ident", number):
            return Formula(tuple(_logarithmic([float(each[name] or 0) for name in POLYNOMIAL])))
        for each in self._of("caf", "numbr", number):
            points = [
                (_raw(each, pair["xvals"]), float(pair["yvals"])) for pair in self._of("cap", "numbr", number)
            ]
            if len(dict(points)) < 2:
                row.lost("caf", number, "a curve of fewer than two points is not converted")
                return None
            return Spline(tuple(sorted(dict(points).items())), 1, extrapolate=each["inter"] == "P")
        row.lost("pcf", row["name"] or row["pname"], f"there is no calibration {number}")
        return None

    # limits

    def _limited(self, row: Any, kind: ParameterType) -> ParameterType:
        for each in self._of("ocf", "name", row["name"]):
            if not isinstance(kind, NumberType | EnumeratedType):
                each.lost("ocf", row["name"], "limits of a value that is not a number are not converted")
                return kind
            calibrated = isinstance(kind, NumberType) and kind.encoding.calibrator is not None
            if each["inter"] == "U" and calibrated:
                each.lost("ocf", row["name"], "limits of the raw value are not converted")
                return kind
            return self._with(each, row["name"], kind)
        return kind

    def _with(self, row: Any, name: str, kind: NumberType | EnumeratedType) -> ParameterType:
        bands: dict[tuple[str, str], list[tuple[int, Range, bool]]] = {}
        labels: dict[tuple[str, str], list[str]] = {}
        for each in sorted(self._of("ocp", "name", name), key=lambda each: each.integer("pos", 0)):
            where = each["rlchk"], each["valpar"]
            if where[0] and where[0] not in self.keys:
                each.lost("ocp", name, f"there is no parameter {where[0]}")
            elif each["type"] in LEVELS and isinstance(kind, NumberType):
                bands.setdefault(where, []).append((LEVELS[each["type"]], _range(each), False))
            elif each["type"] == "C" and isinstance(kind, EnumeratedType):
                labels.setdefault(where, []).append(each["lvalu"])
            else:
                each.lost("ocp", name, f"a check of type {each['type']} is not converted")
        violations = max(row.integer("nbchck", 1), 1)
        alarms = {where: Alarm(tuple(some), violations=violations) for where, some in bands.items()}
        for where, some in labels.items():
            right = tuple((label, 0) for label in some)
            alarms[where] = Alarm(labels=right, default=HARD, violations=violations)
        default = alarms.pop(("", ""), None)
        contexts = tuple((equal(self.keys[of], value or "1"), alarm) for (of, value), alarm in alarms.items())
        return replace(kind, limits=Limits(alarm=default, contexts=contexts))


def _range(row: Any) -> Range:
    """The range of a check; both limits are inside."""
    return Range(float(row["lvalu"]) if row["lvalu"] else -inf, float(row["hvalu"]) if row["hvalu"] else inf)


def _raw(curve: Any, text: str) -> float:
    return float(int(text, RADIX[curve["radix"]])) if curve["radix"] in RADIX else float(text)


def _logarithmic(coefficients: Sequence[float]) -> Iterator[float | str]:
    """1 / (A0 + A1 ln x + A2 (ln x)^2 + A3 (ln x)^3 + A4 (ln x)^4), by Horner's rule."""
    yield 1.0
    yield coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        yield from (THIS, "ln", "*", coefficient, "+")
    yield "/"

"""Read `[clock]` of a mission file: sums of parameters that give onboard time, epoch, and correlation with UTC.

In: the table, and the plan of the dictionary. Out: time terms of `Decoder`, and the clock; every problem is reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from ..clock.correlation_file import CorrelationTable, clock_of
from ..clock.onboard import OnboardClock
from ..clock.sclk_reader import read_kernel
from ..dictionary.compile.plan import Plan
from ..dictionary.decoder import Decoder, TimeTerm
from ..model.errors import ConfigError, Problem
from .link_schema import ReportProblem, ns_of
from .places import UnsetVariableError, place
from .schema import ClockTable, TimeTermTable
from .toml_lines import MAX_FILE_BYTES, line_of, load_toml, read_limited, validation_problems

_ANY = "*"


def epoch_and_terms(
    clock: ClockTable | None, plan: Plan | None, report: ReportProblem
) -> tuple[int, tuple[TimeTerm, ...]]:
    """The epoch of onboard time (ns since 1970 UTC) and its terms; (0, ()) without a clock or with a wrong epoch."""
    if clock is None:
        return 0, ()
    for term in clock.terms:
        if _ANY in term.parameter:
            report("clock.terms", f"'{term.parameter}': {_ANY} is only valid in alternatives")
            return 0, ()
    terms = _time_terms(clock, plan)
    try:
        if plan:
            Decoder(plan, terms)
    except ConfigError as error:
        for found in error.problems:
            report("clock.terms", f"{found.key}: {found.text}")
    epoch_ns = ns_of(clock.epoch)
    if epoch_ns is None:
        report("clock.epoch", f"'{clock.epoch}' is no ISO 8601 time, such as 2015-12-31T16:00:00Z")
    return epoch_ns or 0, terms


def _time_terms(clock: ClockTable, plan: Plan | None) -> tuple[TimeTerm, ...]:
    """The terms of each sum, those of `clock.terms` first. A sum without parameters in the dictionary is left out if
    another one has some: a mission may have the dictionaries of only some of its instruments.
    """
    names = {name for node in plan.walk() for _, name in node.columns} if plan else set()
    expanded = [terms for one in clock.alternatives for terms in _expand(one, names)]
    sums = [*enumerate([clock.terms, *expanded])]
    if plan:
        known = [(k, terms) for k, terms in sums if any(term.parameter in names for term in terms)]
        sums = known or sums
    return tuple(TimeTerm(term.parameter, term.unit_ns, k) for k, terms in sums for term in terms)


def _expand(terms: list[TimeTermTable], names: Collection[str]) -> Iterator[list[TimeTermTable]]:
    """Expand a sum with `*` in its names: a sum for each text that gives names of the dictionary."""
    pattern = next((term.parameter for term in terms if _ANY in term.parameter), None)
    if pattern is None:
        yield terms
        return
    before, after = pattern.split(_ANY)
    texts = {
        name[len(before) : len(name) - len(after)]
        for name in names
        if len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after)
    }
    for text in sorted(texts):
        spelled = [term.model_copy(update={"parameter": term.parameter.replace(_ANY, text)}) for term in terms]
        if all(term.parameter in names for term in spelled):
            yield spelled


def correlated(
    settings: ClockTable | None, epoch_ns: int, folder: Path, problems: list[Problem], report: ReportProblem
) -> OnboardClock:
    """The clock with the correlation of [clock]; all problems of its file are reported."""
    plain = OnboardClock(epoch_ns, counts_leap_seconds=bool(settings and settings.counts_leap_seconds))
    if settings is None or settings.correlation is None:
        return plain
    try:
        path = place(folder, settings.correlation)
    except UnsetVariableError as error:
        report("clock.correlation", str(error))
        return plain
    if path.suffix == ".tsc":
        return _by_kernel(plain, path, problems)
    try:
        text, table = load_toml(path, MAX_FILE_BYTES)
        parsed = CorrelationTable.model_validate(table)
    except ConfigError as error:
        problems += error.problems
        return plain
    except ValidationError as error:
        problems += validation_problems(error, text, str(path), CorrelationTable)
        return plain
    clock, found = clock_of(parsed)
    problems += [Problem(what, str(path), line_of(text, tuple(key.split("."))), key) for key, what in found]
    if not found and clock.epoch_utc_ns != epoch_ns:
        report("clock.correlation", f"{path} counts from another epoch, {parsed.epoch}")
    return replace(clock, counts_leap_seconds=plain.counts_leap_seconds)


def _by_kernel(plain: OnboardClock, path: Path, problems: list[Problem]) -> OnboardClock:
    """The clock with the correlation of a SPICE kernel; problems are reported."""
    try:
        return replace(plain, segments=read_kernel(read_limited(path, MAX_FILE_BYTES).decode("utf-8", "replace")))
    except ConfigError as error:
        problems += error.problems
    except OSError as error:
        problems.append(Problem(f"cannot be read: {error.strerror}", str(path)))
    except ValueError as error:
        problems.append(Problem(f"is no kernel of a clock that is read: it {error}", str(path)))
    return plain

"""Cache of compiled dictionaries in this process: a dictionary is compiled again only if its files changed.

Compiling 1,000 parameters takes 50 ms, and a notebook opens many recordings of one mission. Plans are immutable, so
they can be shared. Files are read each time, and compared by SHA-256.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..dictionary.compile.plan import Plan, compile_plan
from ..dictionary.xtce.reader import Source
from .dictionary_files import ReaderOptions, dictionary_of, digest_of, reread, xtce_sources

MAX_KEPT = 4
PlanKey = tuple[Path | str | bool | None, ...]
"""Key of a compiled plan: the paths of a dictionary, and the reader options."""
Places = tuple[tuple[str, int | None], ...]
"""File of each document, and index of the document that it is below."""


@dataclass(frozen=True, slots=True)
class _Known:
    """`included`: documents included by the files of the mission; `digest`: of all documents."""

    plan: Plan
    places: Places
    included: tuple[Source, ...]
    digest: str


@dataclass(slots=True)
class KnownPlans:
    """A cache of plans by paths and reader options, the most recently used last."""

    _known: OrderedDict[PlanKey, _Known] = field(default_factory=OrderedDict)

    def load(self, paths: Sequence[Path], options: ReaderOptions, files: list[Path]) -> tuple[Plan, str]:
        """The plan of XTCE files and the SHA-256 of their documents. `files` takes the path of each file read.

        Raises ConfigError with every problem, OSError if a file cannot be read.
        """
        included: list[Source] = []
        sources = xtce_sources(paths, included)
        key = _plan_key(paths, options)
        found = self._unchanged(key, sources)
        if found is None:
            plan = compile_plan(dictionary_of(sources, options), options.root)
            found = _Known(plan, _places(sources), tuple(included), digest_of([*sources, *included]))
        self._keep(key, found)
        files += [Path(each.file) for each in (*sources, *found.included)]
        return found.plan, found.digest

    def _unchanged(self, key: PlanKey, sources: Sequence[Source]) -> _Known | None:
        """Return the cached plan if none of its documents was changed, moved or deleted."""
        found = self._known.get(key)
        if found is None or found.places != _places(sources):
            return None
        now = [each for source in found.included if (each := reread(source)) is not None]
        return found if digest_of([*sources, *now]) == found.digest else None

    def _keep(self, key: PlanKey, found: _Known) -> None:
        self._known[key] = found
        self._known.move_to_end(key)
        while len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)


def _plan_key(paths: Sequence[Path], options: ReaderOptions) -> PlanKey:
    roots = [options.roots] if isinstance(options.roots, str) else options.roots
    return *paths, None, options.strict, options.leading_size_in_bits, *roots


def _places(sources: Sequence[Source]) -> Places:
    return tuple((each.file, each.below) for each in sources)


KNOWN_PLANS = KnownPlans()
"""The cache of this process."""

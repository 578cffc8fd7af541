"""Sets of alarm limits of which operators choose one, as in COSMOS: `LIMITS DEFAULT ...`, `LIMITS TVAC ...`.

In a dictionary a set is a label of a constant: an enumerated parameter that stands in no packet (its type has no
encoding) and has an initialValue. Contexts of alarms compare it. The set that applies is the label that it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from ...model.errors import ConfigError
from ..model.parameter_types import EnumeratedType, UnencodedType
from ..run.steps import Slot
from ..run.values import Values
from .limits import Check
from .others import Origin
from .plan import Plan


def limits_sets(plan: Plan) -> tuple[str, ...]:
    """The names of all limits sets, that which applies first; empty without."""
    constants = list(_constants(plan))
    labels = [name for _, kind in constants for _, _, name in kind.labels]
    initial = [str(origin.initial[1]) for origin, _ in constants if origin.initial is not None]
    return tuple(dict.fromkeys([*initial, *labels]))


def with_limits_set(plan: Plan, name: str) -> Plan:
    """The plan by which limits of this set apply; of constants without this label nothing changes.

    Raises ConfigError where no constant has it.
    """
    chosen = {origin.key: (low, label) for origin, kind in _constants(plan) for low, _, label in kind.labels
              if label == name}  # fmt: skip
    if not chosen:
        known = ", ".join(limits_sets(plan)) or "the dictionary has none"
        raise ConfigError(f'there is no limits set "{name}": {known}')
    origins = (replace(one, initial=chosen.get(one.key, one.initial)) for one in plan.origins)
    return replace(plan, origins=tuple(origins))


def resolved(check: Check, origins: Mapping[str, Origin]) -> Check:
    """The check without contexts that constants alone decide: the first that holds is the default, others are gone."""
    if not check.contexts:
        return check
    constants = _with_value(origins.values())
    alarm, conditions = check.limits.alarm, check.conditions[:1]
    values = _values(constants)
    kept = []
    for (criterion, own), its in zip(check.contexts, check.conditions[1:], strict=True):
        if not criterion.needs() or not criterion.needs() <= constants.keys():
            kept.append(((criterion, own), its))
        elif criterion.holds(values)[0]:
            alarm, conditions = own, (its,)
            break
    contexts, others = zip(*kept, strict=True) if kept else ((), ())
    limits = replace(check.limits, alarm=alarm)
    return replace(check, limits=limits, contexts=tuple(contexts), conditions=(*conditions, *others))


def _constants(plan: Plan) -> Iterator[tuple[Origin, EnumeratedType]]:
    """Constants of labels that contexts of alarms look at, each once."""
    origins = _with_value(plan.origins)
    found: dict[str, EnumeratedType] = {}
    for node in plan.walk() if origins else ():
        for check in node.checks:
            for key in (key for criterion, _ in check.contexts for key in criterion.needs()):
                kind = check.types.get(key)
                if key in origins and isinstance(kind, UnencodedType) and isinstance(kind.value, EnumeratedType):
                    found[key] = kind.value
    return ((origins[key], kind) for key, kind in found.items())


def _with_value(origins: Iterable[Origin]) -> dict[str, Origin]:
    """The constants that have a value, by key."""
    return {one.key: one for one in origins if one.is_constant and one.initial is not None}


def _values(constants: Mapping[str, Origin]) -> Values:
    """One row of constants."""
    values = Values(1)
    for key, origin in constants.items():
        assert origin.initial is not None
        raw, calibrated = (np.array([one]) for one in origin.initial)
        values.keep(Slot(key), raw, calibrated)
    return values

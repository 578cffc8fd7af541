"""Entries that name a parameter by another one's value (XTCE IndirectParameterRefEntry, as PUS service 20 has it)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .conditions import Comparison
from .definitions import Dictionary, IndirectEntry, Parameter
from .document import integer_of
from .parameter_types import EnumeratedType, ParameterType, StringType, UnencodedType


def meant_by(entry: IndirectEntry, parameters: Mapping[str, Parameter]) -> Iterator[tuple[str, str]]:
    """Keys of the parameters that may stand there, and what the other one's value is then: an alias, or the name."""
    for key, parameter in parameters.items():
        if isinstance(parameter.type, UnencodedType):
            continue
        if not entry.name_space:
            yield key, parameter.name
        else:
            yield from ((key, alias) for space, alias in parameter.aliases if space == entry.name_space)


def choices_of(entry: IndirectEntry, dictionary: Dictionary) -> Iterator[tuple[Comparison, str]]:
    """When which parameter stands there: those whose alias the other one's type can have as a value; of several with
    one alias the first in the file.
    """
    kind = dictionary.parameters[entry.of.parameter].type
    is_text = isinstance(kind, StringType) or (isinstance(kind, EnumeratedType) and entry.of.calibrated)
    taken: set[str | int] = set()
    for key, alias in meant_by(entry, dictionary.parameters):
        value = alias if is_text else _value_of(alias)
        if (
            key != entry.of.parameter
            and value not in taken
            and _can_be(kind, alias, calibrated=entry.of.calibrated)
        ):
            taken.add(value)
            yield Comparison(entry.of, "==", alias, entry.place.line), key


def _value_of(alias: str) -> str | int:
    try:
        return integer_of(alias)
    except ValueError:
        return alias


def _can_be(kind: ParameterType, text: str, *, calibrated: bool) -> bool:
    if isinstance(kind, StringType):
        return True
    if isinstance(kind, EnumeratedType) and calibrated:
        return any(label == text for _, _, label in kind.labels)
    return isinstance(_value_of(text), int)

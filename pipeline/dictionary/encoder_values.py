"""What a packet that is being written decides itself: values written so far, sizes and conditions that depend on them.

Written apart from the decoder, for the encoder.
"""

from __future__ import annotations

from typing import Any

from .model.conditions import AllOf, AnyOf, Condition, Lookup, NoneOf, Reference, Remainder, Size, Span
from .model.definitions import Dictionary
from .model.encodings import Polynomial, Tagged
from .model.parameter_types import BooleanType, EnumeratedType, SpelledType


class WrittenValues:
    """`last`: the raw value that each parameter had last."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.last: dict[str, Any] = {}

    def read(self, reference: Reference) -> Any:
        """The value last written, calibrated where the reference asks for that."""
        raw = self.last[reference.parameter]
        kind = self.dictionary.parameters[reference.parameter].type
        if isinstance(kind, SpelledType):
            return _spoken(raw, kind.value)
        if not reference.calibrated:
            return raw
        if isinstance(kind, EnumeratedType):
            return next((label for low, high, label in kind.labels if low <= raw <= high), f"UNKNOWN_{raw}")
        if isinstance(kind, BooleanType):
            return bool(raw)
        calibrator = getattr(getattr(kind, "encoding", None), "calibrator", None)
        if calibrator is None:
            return raw
        if isinstance(calibrator, Polynomial):
            return sum(coefficient * raw**power for power, coefficient in enumerate(calibrator.coefficients))
        raise ValueError(f'"{reference.parameter}": only polynomials are followed here')

    def size(self, size: Size | Tagged) -> int:
        """A size or a count. Raises ValueError where it goes on to the packet's end."""
        if isinstance(size, int):
            return size
        if isinstance(size, Lookup):
            return next(value for condition, value in size.cases if self.holds(condition))
        if isinstance(size, Remainder | Tagged):
            raise ValueError("an array that goes on to the packet's end is not written")  # noqa: TRY004 - as above
        if isinstance(size, Span):
            n = self.size(size.behind) - self.size(size.start)
            if n < 0:
                raise ValueError("an array whose last index is below its first is not written")
            return n
        return int(self.read(size.of) * size.slope + size.intercept)

    def holds(self, condition: Condition) -> bool:
        """Whether a condition is met by the values written so far; not where one that it names has none."""
        if isinstance(condition, NoneOf):
            return not any(self.holds(part) for part in condition.parts)
        if isinstance(condition, AllOf | AnyOf):
            found = [self.holds(part) for part in condition.parts]
            return all(found) if isinstance(condition, AllOf) else any(found)
        right_key = condition.right.parameter if isinstance(condition.right, Reference) else None
        if condition.left.parameter not in self.last or (right_key is not None and right_key not in self.last):
            return False
        left = self.read(condition.left)
        right: Any = self.read(condition.right) if isinstance(condition.right, Reference) else condition.right
        if isinstance(right, str) and isinstance(left, bool):
            kind = self.dictionary.parameters[condition.left.parameter].type
            right = (
                right == kind.one
                if isinstance(kind, BooleanType) and right == kind.one
                else right.lower() == "true"
            )
        elif isinstance(right, str) and not isinstance(left, str):
            right = float(right) if "." in right else int(right, 0)
        comparisons = {"==": left == right, "!=": left != right}
        if condition.operator in comparisons:
            return bool(comparisons[condition.operator])
        return bool(
            {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[condition.operator]
        )


def _spoken(text: Any, kind: Any) -> Any:
    """What a text says."""
    if isinstance(kind, BooleanType):
        return bool(text) and str(text).lower() not in {"false", "0", kind.zero.lower()}
    if isinstance(kind, EnumeratedType):
        labels = {label for _, _, label in kind.labels}
        return text if text in labels else next(name for low, high, name in kind.labels if low <= int(text) <= high)
    return float(text) if kind.real else int(text, 0)

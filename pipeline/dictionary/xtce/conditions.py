"""Match criteria and values that a packet tells itself: Comparison, ComparisonList, BooleanExpression,
IntegerValueType (FixedValue, DynamicValue, DiscreteLookupList) and the dimensions of arrays.
"""

from __future__ import annotations

from ..model.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Dynamic,
    Lookup,
    Reference,
    Remainder,
    Size,
    Span,
    shifted,
)
from ..model.document import Node
from ..model.local import LOCAL
from .scope import Context

IGNORED = "_yamcs_ignore"
"""Files made for Yamcs refer to it where the schema wants a size and there is none."""
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


def read_reference(node: Node, context: Context) -> Reference:
    """ParameterInstanceRefType: only the instance of the packet at hand."""
    reading = context.reading
    instance = reading.attribute(node, "instance", "0")
    if instance.strip() != "0":
        reading.problem(node, f'instance="{instance}" is not implemented: only the packet at hand is looked at')
    calibrated = reading.flag(node, "useCalibratedValue", default=True)
    if _is_local(node):
        name = reading.required(node, "parameterRef").replace("/", ".")
        return Reference(f"{LOCAL}{name}", calibrated, node.line)
    return Reference(context.parameter_key(node), calibrated, node.line)


def _is_local(node: Node) -> bool:
    """Whether another member of the same aggregate is meant, as an attribute of Yamcs says."""
    found = [name for name in node.attributes if name.rpartition(" ")[2] == "aggregateMember"]
    return any(node.attributes.pop(name).strip() in {"true", "1"} for name in found)


def read_criteria(node: Node, context: Context) -> Condition | None:
    """MatchCriteriaType: what the element's one child says. None, with a problem, where it says nothing."""
    reading = context.reading
    children = reading.children(node, "Comparison", "ComparisonList", "BooleanExpression")
    if len(children) != 1:
        if not node.children:
            reading.problem(node, "wants one Comparison, ComparisonList or BooleanExpression")
        return None
    child = children[0]
    if child.tag == "Comparison":
        return read_comparison(child, context)
    if child.tag == "ComparisonList":
        parts = tuple(read_comparison(each, context) for each in reading.children(child, "Comparison"))
        if not parts:
            reading.problem(child, "wants at least one Comparison")
        reading.finish(child)
        return AllOf(parts)
    parts_of_expression = _read_conditions(child, context)
    if len(parts_of_expression) > 1:
        reading.problem(child, "wants one Condition, ANDedConditions or ORedConditions")
    reading.finish(child)
    return parts_of_expression[0] if parts_of_expression else None


def read_criteria_in(node: Node, tag: str, context: Context) -> Condition | None:
    """The criteria in the only child with the tag; None where there is none."""
    holder = context.reading.child(node, tag)
    criteria = read_criteria(holder, context) if holder is not None else None
    context.reading.finish(holder)
    return criteria


def read_comparison(node: Node, context: Context) -> Comparison:
    """A parameter against a literal."""
    reading = context.reading
    literal = reading.required(node, "value")
    operator = reading.choice(node, "comparisonOperator", "==", OPERATORS)
    comparison = Comparison(read_reference(node, context), operator, literal, node.line)
    reading.finish(node)
    return comparison


def _read_conditions(node: Node, context: Context) -> tuple[Condition, ...]:
    reading = context.reading
    parts: list[Condition] = []
    for child in reading.children(node, "Condition", "ANDedConditions", "ORedConditions"):
        if child.tag == "Condition":
            check = _read_check(child, context)
            parts.extend([check] if check else [])
        else:
            inner = _read_conditions(child, context)
            if not inner:
                reading.problem(child, "has no conditions")
            parts.append(AllOf(inner) if child.tag == "ANDedConditions" else AnyOf(inner))
        reading.finish(child)
    if not parts:
        reading.problem(node, "has no conditions")
    return tuple(parts)


def _read_check(node: Node, context: Context) -> Comparison | None:
    reading = context.reading
    references = reading.children(node, "ParameterInstanceRef")
    operator_node, value_node = reading.child(node, "ComparisonOperator"), reading.child(node, "Value")
    n_sides = len(references) + (value_node is not None)
    if operator_node is None or not references or n_sides != 2:
        reading.problem(node, "wants a ParameterInstanceRef, a ComparisonOperator and a Value or second reference")
        return None
    operator = reading.text(operator_node)
    if operator not in OPERATORS:
        reading.problem(operator_node, f'ComparisonOperator "{operator}" is not implemented')
        operator = "=="
    sides = [read_reference(each, context) for each in references]
    for each in references:
        reading.finish(each)
    right = reading.text(value_node) if value_node is not None else sides[1]
    return Comparison(sides[0], operator, right, node.line)


def read_size(node: Node, context: Context, low: int, high: int) -> Size:
    """IntegerValueType: a number in the file, in the packet, or looked up."""
    reading = context.reading
    choices = reading.children(node, "FixedValue", "DynamicValue", "DiscreteLookupList")
    if len(choices) != 1:
        reading.problem(node, f"{node.tag} wants one FixedValue, DynamicValue or DiscreteLookupList")
        return max(low, 1)
    choice = choices[0]
    if choice.tag == "FixedValue":
        return reading.number_in(choice, reading.text(choice), node.tag, low, high, max(low, 1))
    return (
        read_dynamic(choice, context) if choice.tag == "DynamicValue" else read_lookup(choice, context, low, high)
    )


def read_dynamic(node: Node, context: Context) -> Size:
    """DynamicValue: another parameter's value, adjusted linearly. A reference to `_yamcs_ignore`: to the packet's end,
    or so many bits before it as the intercept is below zero.
    """
    reading = context.reading
    reference_node, adjustment = (
        reading.child(node, "ParameterInstanceRef"),
        reading.child(node, "LinearAdjustment"),
    )
    slope, intercept = 1.0, 0.0
    if adjustment is not None:
        slope, intercept = reading.real(adjustment, "slope", 1.0), reading.real(adjustment, "intercept", 0.0)
        reading.finish(adjustment)
    reading.finish(node)
    if reference_node is None:
        reading.problem(node, "wants a ParameterInstanceRef")
        return 1
    if reference_node.attributes.get("parameterRef") == IGNORED:
        text = "what has no size of its own goes on to the packet's end"
        reading.notice(reference_node, text, f'parameterRef="{IGNORED}": there is no such parameter')
        reference_node.attributes.clear()
        return Remainder(max(round(-intercept), 0))
    reference = read_reference(reference_node, context)
    reading.finish(reference_node)
    return Dynamic(reference, slope, intercept)


def read_lookup(node: Node, context: Context, low: int, high: int) -> Size:
    """DiscreteLookupList: the value of the first case that holds."""
    reading = context.reading
    cases: list[tuple[Condition, int]] = []
    for child in reading.children(node, "DiscreteLookup"):
        value = reading.integer(child, "value", low, low, high)
        condition = read_criteria(child, context)
        reading.finish(child)
        cases.extend([(condition, value)] if condition else [])
    if not cases:
        reading.problem(node, "has no DiscreteLookup")
    reading.finish(node)
    return Lookup(tuple(cases))


def read_dimensions(node: Node, context: Context, limit: int) -> tuple[Size, ...]:
    """DimensionList: the number of elements along each axis, the last index running fastest."""
    reading = context.reading
    sizes: list[Size] = []
    for dimension in reading.children(node, "Dimension", "Size"):
        if dimension.tag == "Size":  # of drafts of XTCE 1.2: the number of elements
            sizes.append(read_size(dimension, context, 0, limit))
            reading.finish(dimension)
            continue
        first, last = reading.child(dimension, "StartingIndex"), reading.child(dimension, "EndingIndex")
        reading.finish(dimension)
        if first is None or last is None:
            reading.problem(dimension, "wants a StartingIndex and an EndingIndex")
            continue
        start, end = read_size(first, context, 0, limit), read_size(last, context, -1, limit)
        reading.finish(first)
        reading.finish(last)
        if isinstance(start, int) and isinstance(end, int) and end < start - 1:
            reading.problem(dimension, f"its EndingIndex {end} is below its StartingIndex {start}")
            continue
        sizes.append(_between(start, end))
    if not sizes:
        reading.problem(node, "has no Dimension")
    reading.finish(node)
    return tuple(sizes)


def _between(start: Size, end: Size) -> Size:
    """The number of elements from one index to the other, both included."""
    if isinstance(end, Remainder):
        return end
    if isinstance(start, int):
        return shifted(end, 1 - start)
    if isinstance(start, Dynamic) and isinstance(end, int):
        return Dynamic(start.of, -start.slope, end + 1 - start.intercept)
    return Span(start, shifted(end, 1))

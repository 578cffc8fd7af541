"""A dictionary compiled once: for each container a program, and by which values a packet finds its container.

A packet enters at the roots and looks for a leaf: a container that is not abstract, has no children, and whose criteria
and those of all its bases hold. Children are tried in the order of the file, and the next sibling where nothing below
the first holds (`sorting`). Where no leaf is found, a packet stays in a container with children that is not abstract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...model.errors import ConfigError
from ...system.allocator import collector_paused
from ..model.definitions import Container, Dictionary
from ..model.notices import Notice, located
from ..model.roots import left_out, roots_of
from .field_counts import check_field_counts
from .nodes import NodeCompiler
from .others import Origin, in_order, origin_of
from .packet_lengths import apids_by_length, header_keys
from .plan_nodes import Branch, Node
from .program import Program
from .reach import unreachable
from .signature import Signature, signature_of


@dataclass(frozen=True, slots=True)
class Plan:
    """What `Decoder` runs. `root`: where packets enter; above several roots an abstract one without a name or a column.
    `file`: where the dictionary came from, for messages. `notices`: what in it was passed over.
    """

    root: Node
    file: str = ""
    signature: Signature | None = None
    """None: the bits that decide have no fixed place, or stand too far apart."""
    notices: tuple[Notice, ...] = ()
    origins: tuple[Origin, ...] = ()
    """Parameters whose values packets take from other packets."""
    order: tuple[str, ...] = ()
    """Containers, those first whose values others ask for; where none does, nothing."""
    is_mutual: bool = False
    """Whether no order of the containers serves: they ask for values of each other, or such values tell them apart."""
    apids_by_length: frozenset[int] = frozenset()
    """APIDs whose packets are sized by their own length field, so that their segments are described one by one."""

    def walk(self) -> Iterator[Node]:
        """Every container, in the order of the dictionary."""
        return (node for node in self.root.walk() if node.key)

    def asked(self) -> dict[str, frozenset[str]]:
        """By container the parameters of other packets that decide something in its packets, or that they are its."""
        found: dict[str, frozenset[str]] = {}

        def descend(node: Node, provided: frozenset[str]) -> None:
            found[node.key] = node.others | provided
            own = _asked(node) - node.others
            for branch in node.branches:
                descend(branch.node, provided | own if branch.needs_others else provided)

        descend(self.root, frozenset())
        return found

    @property
    def roots(self) -> tuple[Node, ...]:
        return (self.root,) if self.root.key else tuple(branch.node for branch in self.root.branches)


def compile_plan(dictionary: Dictionary, root: str | Sequence[str] | None = None) -> Plan:
    """Compile the containers below `root`: a container's name, several, or None for all that have no base and do not
    stand only inside others. Raises ConfigError with every problem found.
    """
    with collector_paused():
        return _compile_plan(dictionary, root)


def _compile_plan(dictionary: Dictionary, root: str | Sequence[str] | None) -> Plan:
    roots = roots_of(dictionary, root)
    children: dict[str, list[Container]] = {}
    for each in dictionary.containers.values():
        if each.base is not None:
            children.setdefault(each.base, []).append(each)
    check_field_counts(dictionary, roots)
    compiler = NodeCompiler(dictionary, children)
    nodes = [compiler.node(container) for container in roots]
    found = [node for node in nodes if node is not None]
    if compiler.problems:
        raise ConfigError(located([*compiler.problems], dictionary.files))
    top = found[0] if len(found) == 1 else _above(found)
    entered = [(node, compiler.layouts.of(each)) for node, each in zip(found, roots, strict=True)]
    apids = frozenset[int]().union(*(apids_by_length(node, header_keys(steps)[0]) for node, steps in entered))
    for each in left_out(dictionary, roots) if root is None else ():
        text = "has no base and nothing extends it: no packet is taken for it unless it is named as a root"
        compiler.notices.add(Notice(text, dictionary.file, each.line, f'SequenceContainer "{each.key}"'))
    notices = (*dictionary.notices, *compiler.notices.collected(dictionary.files), *unreachable(top, dictionary))
    origins, order = _origins(top, dictionary), _order(top)
    return Plan(top, dictionary.file, signature_of(entered), notices, origins, *order, apids)


def _above(nodes: Sequence[Node]) -> Node:
    """The one node above several roots."""
    nothing, branches = Program((), 0), tuple(Branch(node, None) for node in nodes)
    return Node("", True, nothing, nothing, frozenset(), branches, None, (), (), {}, (), (), (), None, False, False)


def _asked(node: Node) -> frozenset[str]:
    """Parameters of other packets that this container's packets, or its children's criteria, ask for."""
    tests = [branch.test for branch in node.branches if branch.needs_others and branch.test is not None]
    if not tests:
        return node.others
    own = {key for key, _ in node.columns}
    return node.others | frozenset(key for test in tests for key in test.needs() if key not in own)


def _origins(top: Node, dictionary: Dictionary) -> tuple[Origin, ...]:
    keys = frozenset[str]().union(*(_asked(node) for node in top.walk()))
    return tuple(origin_of(key, dictionary) for key in sorted(keys))


def _order(top: Node) -> tuple[tuple[str, ...], bool]:
    """Containers in the order in which they are decoded, and whether no order serves (`Plan.is_mutual`)."""
    nodes = {node.key: node for node in top.walk() if node.key}
    if not any(_asked(node) for node in nodes.values()):
        return (), False
    provides = {key: frozenset(each for each, _ in node.columns) for key, node in nodes.items()}
    order, is_mutual = in_order({key: node.others for key, node in nodes.items()}, provides)
    return tuple(order), is_mutual or any(
        branch.needs_others for node in nodes.values() for branch in node.branches
    )

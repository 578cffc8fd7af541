"""What an element says about itself: its description, and its names in other name spaces."""

from __future__ import annotations

from ..model.document import Node


def description_of(node: Node) -> str:
    """shortDescription, or where there is none the LongDescription, in one line."""
    short = node.attributes.get("shortDescription", "")
    if not short:
        short = next((c.text for c in node.children if c.tag in {"ShortDescription", "LongDescription"}), "")
    return " ".join(short.split())


def aliases_of(node: Node) -> tuple[tuple[str, str], ...]:
    """(name space, alias) of the AliasSet."""
    return tuple(
        (alias.attributes.get("nameSpace", ""), alias.attributes.get("alias", ""))
        for listed in node.children
        if listed.tag == "AliasSet"
        for alias in listed.children
    )

"""XML of PDS4 labels."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from ..model.printable import printable_lines

CARTOGRAPHY = "http://pds.nasa.gov/pds4/cart/v1"
_NAMESPACE = "http://pds.nasa.gov/pds4/pds/v1"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMATRON = '<?xml-model href="{}.sch" schematypens="http://purl.oclc.org/dsdl/schematron"?>\n'


def product_root() -> ET.Element:
    """Make an empty Product_Observational."""
    attributes = {"xmlns": _NAMESPACE, "xmlns:cart": CARTOGRAPHY, "xmlns:xsi": _INSTANCE}
    return ET.Element("Product_Observational", attributes)


def document(root: ET.Element, schemas: Mapping[str, str]) -> bytes:
    """Serialise a label, with references to the schemas of the dictionaries that it uses.

    `schemas`: URL of the schema of each namespace, without extension.
    """
    uses_cartography = any(str(one.tag).startswith("cart:") for one in root.iter())
    used = [space for space in schemas if space != CARTOGRAPHY or uses_cartography]
    if not uses_cartography:
        del root.attrib["xmlns:cart"]
    root.set("xsi:schemaLocation", " ".join(f"{space} {schemas[space]}.xsd" for space in used))
    ET.indent(root, "\t")
    head = "".join(_SCHEMATRON.format(schemas[space]) for space in used)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{ET.tostring(root, "unicode")}\n'.encode()


def add_texts(parent: ET.Element, words: Mapping[str, str]) -> None:
    """Add elements with texts, by tag."""
    for tag, text in words.items():
        add(parent, tag, text)


def add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    """Add an element. Control characters of its text are escaped."""
    child = ET.SubElement(parent, tag, attributes)
    child.text = text if text is None else printable_lines(text)
    return child


def add_value(parent: ET.Element, tag: str, value: float | str | None, unit: str, form: str = ".10g") -> ET.Element:
    """Add a value with its unit; None or a value that is not finite is added by `add_unknown`."""
    text = value if isinstance(value, str) or value is None else format(float(value), form)
    if text is None or text.lower() in {"nan", "inf", "-inf", ""}:
        return add_unknown(parent, tag)
    return add(parent, tag, text, **({"unit": unit} if unit else {}))


def add_unknown(parent: ET.Element, tag: str) -> ET.Element:
    """Add an element that is nil, with the reason "unknown"."""
    return add(parent, tag, **{"xsi:nil": "true", "nilReason": "unknown"})

"""Parts of PDS4 labels that all of them share: the root, elements with text, times, place, lineage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from pipeline.archive.collection import Collection, Origin
from pipeline.printable import printable_lines
from pipeline.software import software

MODEL = "1.12.0.0"
_NAMESPACE = "http://pds.nasa.gov/pds4/pds/v1"
_SCHEMA = "https://pds.nasa.gov/pds4/pds/v1/PDS4_PDS_1C00.xsd"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<?xml-model href="https://pds.nasa.gov/pds4/pds/v1/PDS4_PDS_1C00.sch" '
    'schematypens="http://purl.oclc.org/dsdl/schematron"?>\n'
)


def product_root() -> ET.Element:
    """An empty Product_Observational."""
    return ET.Element(
        "Product_Observational",
        {
            "xmlns": _NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{_NAMESPACE} {_SCHEMA}",
        },
    )


def document(root: ET.Element) -> bytes:
    """The label as it is written."""
    ET.indent(root, "\t")
    return f"{_HEAD}{ET.tostring(root, 'unicode')}\n".encode()


def place(area: ET.Element, site: Mapping[str, Any]) -> None:
    """Coordinates of a site, with their frame."""
    add(area, "reference_frame", str(site["frame"]))
    add(area, "longitude", f"{site['longitude_deg']:.6f}", unit="deg")
    add(area, "latitude", f"{site['latitude_deg']:.6f}", unit="deg")
    add(area, "altitude", f"{site['altitude_m'] / 1000:.6f}", unit="km")


def lineage(area: ET.Element, origin: Origin, sources: Sequence[Collection], instrument: str) -> None:
    """Where it comes from: what the sources share, and the ids of all their products."""
    common = sources[0].common
    calibration = common.get("calibration_sha256", {})
    found = {
        "software": software(),
        "recordings": ", ".join(origin.recordings),
        "stream": origin.stream,
        "clock_correlation": common.get("clock_correlation"),
        "container": common.get("container"),
        "dictionary_sha256": common.get("dictionary_sha256"),
        "calibration_sha256": calibration.get(instrument),
        "source_product_ids": json.dumps([one for source in sources for one in source.ids]),
    }
    texts(area, {key: str(value) for key, value in found.items() if value})


def clock(hours: float, cut: str) -> str:
    """Hours as hh:mm:ss or hh:mm:ss.fff, never 24:00, which would be the next sol's."""
    total_ms = min(max(round(hours * 3_600_000), 0), 86_399_999)
    seconds, ms = divmod(total_ms, 1000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{ms:03d}" if cut == "ms" else text


def texts(parent: ET.Element, words: Mapping[str, str]) -> None:
    """Elements with a text each."""
    for tag, text in words.items():
        add(parent, tag, text)


def add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    """A new element at the end of another."""
    child = ET.SubElement(parent, tag, attributes)
    child.text = text if text is None else printable_lines(text)
    return child

"""Parts of PDS4 labels that all of them share: the root, elements with text, times, place, lineage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from pipeline.archive.collection import Collection, Origin
from pipeline.archive.provenance import PRODUCER, SIMULATED, basis
from pipeline.printable import printable_lines
from pipeline.software import software

MODEL = "1.12.0.0"
_NAMESPACE = "http://pds.nasa.gov/pds4/pds/v1"
_OWN_NAMESPACE = "urn:downlink:mission-area:1"
_CONTEXT = "urn:nasa:pds:context"
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


def identification(root: ET.Element, name: str, origin: Origin, instrument: str) -> None:
    """Who it is: a logical identifier of our own, under one of the five agencies that the rules know; unregistered."""
    product = re.sub(r"[^a-z0-9._-]", "-", name.lower())
    texts(
        add(root, "Identification_Area"),
        {
            "logical_identifier": f"{_lid(origin)}:data_{instrument}:{product}",
            "version_id": "1.0",
            "title": f"{mission_name(origin)} {instrument}, {SIMULATED if origin.simulated else 'by ' + software()}",
            "information_model_version": MODEL,
            "product_class": "Product_Observational",
        },
    )


def facets(area: ET.Element, purpose_level: str, wavelength_range: str, discipline: str) -> None:
    """What kind of result it is."""
    summary = add(area, "Primary_Result_Summary")
    texts(summary, {"purpose": "Science", "processing_level": purpose_level})
    words = {"wavelength_range": wavelength_range, "domain": "Surface", "discipline_name": discipline}
    texts(add(summary, "Science_Facets"), words)


def context(area: ET.Element, origin: Origin, craft: str, instrument: str) -> None:
    """Mission, spacecraft, instrument and target."""
    name = mission_name(origin)
    investigation = add(area, "Investigation_Area")
    texts(investigation, {"name": name, "type": "Mission"})
    reference = {
        "lid_reference": f"{_CONTEXT}:investigation:mission.{_plain(name)}",
        "reference_type": "data_to_investigation",
    }
    texts(add(investigation, "Internal_Reference"), reference)
    system = add(area, "Observing_System")
    add(system, "name", f"{name} {craft}")
    texts(add(system, "Observing_System_Component"), {"name": instrument, "type": "Instrument"})
    texts(add(area, "Target_Identification"), {"name": "Mars", "type": "Planet"})


def mission_area(area: ET.Element) -> ET.Element:
    """Where our own words stand: an element in a namespace of its own, as the schema asks.

    `PDS4_DOWNLINK_1.xsd`, beside this module, declares it; a validator without that goes by `xsi:type`.
    """
    own = {"xmlns": _OWN_NAMESPACE, "xmlns:xs": "http://www.w3.org/2001/XMLSchema", "xsi:type": "xs:anyType"}
    return add(add(area, "Mission_Area"), "Downlink", **own)


def lineage(
    area: ET.Element, origin: Origin, sources: Sequence[Collection], instrument: str, ids: Sequence[str]
) -> None:
    """Where it comes from: what the sources share, the ids of the products in it, on what its calibration rests."""
    common = sources[0].common
    calibration = common.get("calibration_sha256", {})
    found = {
        "software": software(),
        "producer": PRODUCER,
        "simulated": "true" if origin.simulated else "false",
        "recordings": ", ".join(origin.recordings),
        "stream": origin.stream,
        "clock_correlation": common.get("clock_correlation"),
        "container": common.get("container"),
        "dictionary_sha256": common.get("dictionary_sha256"),
        "calibration_sha256": calibration.get(instrument),
        "source_product_ids": json.dumps(list(ids)),
    }
    texts(area, {key: str(value) for key, value in found.items() if value})
    for name, words in basis(sources[0]).items():
        texts(add(area, "Calibration_Basis"), {"name": name, "basis": words})


def mission_name(origin: Origin) -> str:
    """As the archive's labels have it."""
    return "HX-1" if origin.mission == "zhurong" else origin.mission


def _lid(origin: Origin) -> str:
    return f"urn:nasa:pds:downlink_{_plain(origin.mission)}{'_simulated' * origin.simulated}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]", "_", name.lower())


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

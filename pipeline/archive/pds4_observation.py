"""Common parts of PDS4 labels: identification, observation, context, lineage.

The geometry and imaging dictionaries are not available for this version of the information model, so their contents are
in the mission area, in a namespace that `PDS4_DOWNLINK_1.xsd` declares. The cartography dictionary is used as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from ..model.batches import NO_TIME, true_sol
from ..model.errors import ConfigError
from ..products.archive_rules import Pds4Rules
from ..system.software import software
from .collection import Collection, Origin
from .netcdf_attributes import iso
from .pds4_xml import add, add_texts, add_unknown, product_root
from .provenance import PRODUCER, SIMULATED, basis

_OWN_NAMESPACE = "urn:downlink:mission-area:1"
_CONTEXT = "urn:nasa:pds:context"
LocalTime = tuple[int, float, float]
"""Sol, and hours of local mean and local true solar time."""


@dataclass(frozen=True, slots=True)
class Header:
    """Common contents of a label. `name`: of the file. `instrument`: for identifiers. `utc_ns`: first and last time.
    `sequence`: empty: none.
    """

    name: str
    instrument: str
    instrument_id: str
    level: str
    processing_level: str
    wavelength_ranges: tuple[str, ...]
    discipline: str
    utc_ns: tuple[int, int]
    sequence: str = ""
    comment: str = ""


def observational(header: Header, origin: Origin) -> tuple[ET.Element, ET.Element]:
    """Make a label: its root, and the mission area for elements of this product.

    Raises ConfigError if the mission has no PDS4 archive.
    """
    root = product_root()
    _identification(root, header, origin)
    area = add(root, "Observation_Area")
    comment = ". ".join(filter(None, (SIMULATED if origin.simulated else "", header.comment)))
    if comment:
        add(area, "comment", comment)
    times = add(area, "Time_Coordinates")
    for tag, utc_ns in zip(("start_date_time", "stop_date_time"), header.utc_ns, strict=True):
        if utc_ns == NO_TIME:
            add_unknown(times, tag)
        else:
            add(times, tag, iso(utc_ns, "us"))
    _facets(area, header, pds4_rules(origin).domain)
    _context(area, origin, header)
    mission = _mission_area(area)
    ids = {
        "product_id": header.name,
        "product_version": "A",
        "product_level": header.level,
        "instrument_name": instrument_name(header.instrument, origin),
        "instrument_id": header.instrument_id,
    }
    add_texts(mission, ids | ({"sequence_id": header.sequence} if header.sequence else {}))
    return root, mission


def pds4_rules(origin: Origin) -> Pds4Rules:
    """PDS4 rules of the mission. Raises ConfigError if it has no PDS4 archive."""
    if origin.rules.pds4 is None:
        raise ConfigError(f"mission {origin.mission} declares no PDS4 archive: its package has no `archive.pds4`")
    return origin.rules.pds4


def instrument_name(instrument: str, origin: Origin) -> str:
    """Name of an instrument in labels."""
    return origin.instrument(instrument).title or instrument


def place(area: ET.Element, site: Mapping[str, Any]) -> None:
    """Add the coordinates of a site, with their frame."""
    add(area, "reference_frame", str(site["frame"]))
    add(area, "longitude", f"{site['longitude_deg']:.6f}", unit="deg")
    add(area, "latitude", f"{site['latitude_deg']:.6f}", unit="deg")
    add(area, "altitude", f"{site['altitude_m'] / 1000:.6f}", unit="km")


def local_times(area: ET.Element, local: LocalTime, prefix: str = "") -> None:
    """Add local mean and local true solar time, each with its sol, in the notation of archived labels."""
    sol, lmst, ltst = local
    add(area, f"{prefix}local_mean_solar_time", f"{sol:05d}M{_clock(lmst, 'ms')}")
    add(area, f"{prefix}local_true_solar_time", f"{true_sol(sol, lmst, ltst):05d} {_clock(ltst, 's')}")


def lineage(
    area: ET.Element, origin: Origin, sources: Sequence[Collection], instrument: str, ids: Sequence[str]
) -> None:
    """Add the lineage: common entries of the sources, ids of the products, sources of the calibration."""
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
        "uncertainty": common.get("uncertainty"),
        "creator": origin.archive_table.get("creator_name"),
        "license": origin.archive_table.get("license"),
        "acknowledgement": origin.archive_table.get("acknowledgement"),
    }
    add_texts(area, {key: str(value) for key, value in found.items() if value})
    for name, words in basis(sources[0]).items():
        add_texts(add(area, "Calibration_Basis"), {"name": name, "basis": words})


def _identification(root: ET.Element, header: Header, origin: Origin) -> None:
    """Add the identification; the logical identifier is not registered with PDS."""
    product = re.sub(r"[^a-z0-9._-]", "-", header.name.lower())
    rules = pds4_rules(origin)
    lid = f"{rules.identifier.format(mission=_plain(origin.mission))}{'_simulated' * origin.simulated}"
    by = SIMULATED if origin.simulated else "by " + software()
    add_texts(
        add(root, "Identification_Area"),
        {
            "logical_identifier": f"{lid}:data_{header.instrument}:{product}",
            "version_id": "1.0",
            "title": f"{_mission_name(origin)} {header.instrument}, {by}",
            "information_model_version": rules.model_version,
            "product_class": "Product_Observational",
        },
    )


def _facets(area: ET.Element, header: Header, domain: str) -> None:
    summary = add(area, "Primary_Result_Summary")
    add_texts(summary, {"purpose": "Science", "processing_level": header.processing_level})
    facets = add(summary, "Science_Facets")
    for words in header.wavelength_ranges:
        add(facets, "wavelength_range", words)
    add_texts(facets, {"domain": domain, "discipline_name": header.discipline})


def _context(area: ET.Element, origin: Origin, header: Header) -> None:
    """Add mission, spacecraft, instrument and target."""
    name = _mission_name(origin)
    investigation = add(area, "Investigation_Area")
    add_texts(investigation, {"name": name, "type": "Mission"})
    reference = {
        "lid_reference": f"{_CONTEXT}:investigation:mission.{_plain(name)}",
        "reference_type": "data_to_investigation",
    }
    add_texts(add(investigation, "Internal_Reference"), reference)
    system = add(area, "Observing_System")
    platform = origin.platform(header.instrument)
    add(system, "name", f"{name} {platform.title}" if platform else name)
    component = {"name": instrument_name(header.instrument, origin), "type": "Instrument"}
    add_texts(add(system, "Observing_System_Component"), component)
    target, kind = pds4_rules(origin).target
    add_texts(add(area, "Target_Identification"), {"name": target, "type": kind})


def _mission_area(area: ET.Element) -> ET.Element:
    """Add an element in our namespace; `xsi:type` is for validators without our schema."""
    own = {"xmlns": _OWN_NAMESPACE, "xmlns:xs": "http://www.w3.org/2001/XMLSchema", "xsi:type": "xs:anyType"}
    return add(add(area, "Mission_Area"), "Downlink", **own)


def _mission_name(origin: Origin) -> str:
    return pds4_rules(origin).investigation or origin.mission


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]", "_", name.lower())


def _clock(hours: float, cut: str) -> str:
    """Format hours as hh:mm:ss or hh:mm:ss.fff, below 24:00, which would be the next sol."""
    total_ms = min(max(round(hours * 3_600_000), 0), 86_399_999)
    seconds, ms = divmod(total_ms, 1000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{ms:03d}" if cut == "ms" else text

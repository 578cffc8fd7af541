"""The origin of products, as files and Datasets state it: recordings, site, people, software."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..clock.local import BODY
from ..messages import topics
from ..mission.loading import Mission
from ..mission.named_objects import load_place
from ..system.files import printable_name
from ..system.identity import content_of_all

if TYPE_CHECKING:
    from ..archive.collection import Origin
    from ..archive.column_listing import Source


def stream_of(passes: Sequence[Path]) -> str:
    """Return the default stream name of recordings: the first one's file name, as a topic level."""
    return topics.slug(passes[0].name.split(".")[0]) or "replay"


def source_of(passes: Sequence[Path], mission: Mission, *, raw: bool) -> Source:
    """Return the provenance of decoded packets of these recordings. `mission`: as returned by `with_origin`."""
    from ..archive.column_listing import Source  # noqa: PLC0415 - a replay writes no files

    lineage = {
        "software": str(mission.lineage.get("software", "")),
        "dictionary_sha256": str(mission.lineage.get("dictionary_sha256", "")),
        "clock_correlation": mission.clock.correlation_id if mission.time_terms else "",
        "simulated": "true" if mission.simulated else "false",
    }
    return Source(mission.name, tuple(passes), raw, lineage)


def origin_of(passes: Sequence[Path], mission: Mission, stream: str) -> Origin:
    """Return the provenance of products of these recordings, without frame counts, which are known after reading.

    `mission`: as returned by `with_origin`.
    """
    from ..archive.collection import Origin  # noqa: PLC0415 - as above

    return Origin(
        mission.name,
        stream,
        tuple(map(printable_name, passes)),
        asdict(mission.site) if mission.site else None,
        simulated=mission.simulated,
        archive_table=mission.archive,
        content=content_of_all(passes),
        kinds=mission.kinds,
        body=BODY if mission.site else "",
        rules=mission.archive_rules,
        instruments=mission.archive_instruments,
        tables=tuple(load_place(module, table, module) for module, table in mission.archive_tables),
    )

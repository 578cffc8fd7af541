"""Where products come from, in the words of files and Datasets: recordings, site, people, what made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline import topics
from pipeline.archive.collection import Origin
from pipeline.files import printable_name
from pipeline.identity import content_of_all
from pipeline.mission import Mission


def stream_of(passes: Sequence[Path]) -> str:
    """Give the stream of recordings that no one named: the first one's name, as a topic level."""
    return topics.slug(passes[0].name.split(".")[0]) or "replay"


def origin_of(passes: Sequence[Path], mission: Mission, stream: str) -> Origin:
    """Give the origin of products of these recordings; the counts of frames are known when they are read.

    `mission`: as `with_origin` gives it.
    """
    return Origin(
        mission.name,
        stream,
        tuple(map(printable_name, passes)),
        asdict(mission.site) if mission.site else None,
        simulated=mission.simulated,
        words=mission.archive,
        content=content_of_all(passes),
    )

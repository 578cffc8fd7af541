"""IMAP, NASA's Interstellar Mapping and Acceleration Probe, as a mission package of downlink.

The mission's XTCE files are not part of it: the environment variable IMAP_DICTIONARIES names the folder that has them.
"""

from __future__ import annotations

from downlink_pipeline.api import ArchiveRules, MissionPackage

PACKAGE = MissionPackage(
    __name__,
    interface=1,
    archive=ArchiveRules(discipline="Solar Physics>Heliospheric Physics"),  # as the mission's own CDF files have it
)

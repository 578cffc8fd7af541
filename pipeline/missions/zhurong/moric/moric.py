"""MoRIC, the orbiter's moderate resolution camera: colour strips of 265 km at 65 m a pixel from 265 km.

In: PDUs of its files. Out: `moric/strip` (`strip_camera.py` has the equations). Swath and scale are published
(EurekAlert 1038104); layout, responses and codes are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ....products.cfdp import PDU_COLUMNS
from ..shared.strip_camera import StripCamera
from .kinds import REJECTED, STRIP


class Moric(StripCamera):
    """MoRIC, a strip at a time."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"MORIC_PDU": PDU_COLUMNS}
    strip = STRIP
    rejected = REJECTED

"""HiRIC, the orbiter's high resolution camera: line sensors with 0.5 m a pixel at best.

In: PDUs of its files. Out: `hiric/strip` (`strip_camera.py` has the equations). The scale is published
(EGU2020-2480); that it holds at 265 km, layout, responses and codes are assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ....products.cfdp import PDU_COLUMNS
from ..shared.strip_camera import StripCamera
from .kinds import REJECTED, STRIP


class Hiric(StripCamera):
    """HiRIC, a strip at a time."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"HIRIC_PDU": PDU_COLUMNS}
    strip = STRIP
    rejected = REJECTED

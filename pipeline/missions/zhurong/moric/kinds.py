"""MoRIC, the orbiter's medium resolution camera: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.package import InstrumentFolder
from ..shared.declared import strip_kinds

STRIP, REJECTED = strip_kinds("moric", "MoRIC")

INSTRUMENT = InstrumentFolder(
    instruments={"moric": "moric:Moric"},
    kinds=(STRIP, REJECTED),
    archive=InstrumentArchive(title="Moderate Resolution Imaging Camera", platform="orbiter"),
)

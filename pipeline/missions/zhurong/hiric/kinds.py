"""HiRIC, the orbiter's high resolution camera: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.package import InstrumentFolder
from ..shared.declared import strip_kinds

STRIP, REJECTED = strip_kinds("hiric", "HiRIC")

INSTRUMENT = InstrumentFolder(
    instruments={"hiric": "hiric:Hiric"},
    kinds=(STRIP, REJECTED),
    archive=InstrumentArchive(title="High Resolution Imaging Camera", platform="orbiter"),
)

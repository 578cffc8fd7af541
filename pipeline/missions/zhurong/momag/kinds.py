"""MOMAG, the orbiter's magnetometer: products."""

from __future__ import annotations

from dataclasses import replace

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

_SIGMA = "one sigma along each axis, noise; the uncertainty of offsets has not been published"

FIELD = ProductKind(
    "momag",
    "field",
    "2B",
    {
        "field_outer_nt": ("f8", "row axis=3", "nT", "outer sensor"),
        "field_inner_nt": ("f8", "row axis=3", "nT", "inner sensor"),
        "field_ambient_nt": ("f8", "row axis=3", "nT", "without the dipole of the spacecraft"),
        "field_ambient_magnitude_nt": ("f8", "row", "nT", "magnitude without the spacecraft"),
        "field_outer_nt_sigma": ("f8", "axis", "nT", _SIGMA),
        "field_inner_nt_sigma": ("f8", "axis", "nT", _SIGMA),
        "field_ambient_nt_sigma": ("f8", "axis", "nT", _SIGMA),
        "field_ambient_magnitude_nt_sigma": ("f8", "", "nT", "one sigma, noise, of a field that is larger than it"),
        "gras_flag": ("u1", "row", "", "00 usable, as GRAS has it; 01 see quality"),
    },
    latest=("field_ambient_nt", "field_ambient_magnitude_nt"),
    files=("cdf", "quicklook", "zarr"),
    view=(
        View(
            "Field at the orbiter",
            "vector",
            {"vector": "field_ambient_nt", "magnitude": "field_ambient_magnitude_nt", "axes": ("x", "y", "z")},
        ),
    ),
    file_word="MOMAG",
)
FIELD_32HZ = replace(FIELD, name="field_32hz", level="2C", view=None, file_word="MOMAG-DEC")

INSTRUMENT = InstrumentFolder(
    instruments={"momag": "momag:Momag"},
    kinds=(FIELD, FIELD_32HZ),
    archive=InstrumentArchive(
        platform="orbiter",
        limits={"nT": (-10_000.0, 10_000.0)},  # Liu K. et al. 2020, doi 10.26464/epp2020058
    ),
)

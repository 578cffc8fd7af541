"""MINPA, the orbiter's ion analyser: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

_COUNTING = "one sigma of counting; that of one count where there was none"
_OF_MOMENTS = "one sigma of counting; NaN where too few bins have counts: the value is then a plain sum over them"

SPECTRUM = ProductKind(
    "minpa",
    "spectrum",
    "2B",
    {
        "species": ("U", "row", "", "of the ions"),
        "energy_flux": ("f8", "row energy", "eV cm-2 s-1 sr-1 eV-1", "mean over directions"),
        "direction_flux": ("f8", "row elevation azimuth", "eV cm-2 s-1 sr-1 eV-1", "mean over energies"),
        "energy_flux_sigma": ("f8", "row energy", "eV cm-2 s-1 sr-1 eV-1", _COUNTING),
        "direction_flux_sigma": ("f8", "row elevation azimuth", "eV cm-2 s-1 sr-1 eV-1", _COUNTING),
        "counts": ("f8", "row", "1", "of the whole scan"),
        "energy_ev": ("f8", "energy", "eV", "per charge, middle of the step"),
        "density_cm3": ("f8", "row", "cm-3", "of a Maxwellian with the sums of the counts"),
        "density_cm3_sigma": ("f8", "row", "cm-3", _OF_MOMENTS),
        "velocity_km_s": ("f8", "row axis=3", "km s-1", "axes of the instrument"),
        "velocity_km_s_sigma": ("f8", "row axis=3", "km s-1", _OF_MOMENTS),
        "speed_km_s": ("f8", "row", "km s-1", "of the bulk"),
        "speed_km_s_sigma": ("f8", "row", "km s-1", _OF_MOMENTS),
        "temperature_ev": ("f8", "row", "eV", "k T, a third of the pressure's trace"),
        "temperature_ev_sigma": ("f8", "row", "eV", _OF_MOMENTS),
    },
    latest=("species", "density_cm3", "speed_km_s", "temperature_ev"),
    view=(View("MINPA, ions", "energies", {"array": "energy_flux", "energy": "energy_ev", "unit": "eV"}),),
    file_word="MINPA",
)

INSTRUMENT = InstrumentFolder(
    instruments={"minpa": "minpa:Minpa"},
    kinds=(SPECTRUM,),
    archive=InstrumentArchive(platform="orbiter"),
)

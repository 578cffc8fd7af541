"""MEPA, the orbiter's energetic particle analyser: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ArrayKind, ProductKind, View
from ....products.package import InstrumentFolder


def _of(species: str) -> dict[str, ArrayKind]:
    """Arrays of one species of particles, by the channels of its energy."""
    channel, flux = f"{species}_channel", "cm-2 s-1 sr-1 MeV-1"
    return {
        f"{species}_rate_per_s": ("f8", f"row {channel}", "s-1", "without dead time"),
        f"{species}_flux": ("f8", f"row {channel}", flux, "differential"),
        f"{species}_flux_sigma": ("f8", f"row {channel}", flux, "one sigma of counting"),
        f"{species}_total_flux": ("f8", "row", "cm-2 s-1 sr-1", "over the channels"),
        f"{species}_energy_low_mev": ("f8", channel, "MeV", "of the channel"),
        f"{species}_energy_high_mev": ("f8", channel, "MeV", "of the channel"),
    }


FLUX = ProductKind(
    "mepa",
    "flux",
    "2B",
    {
        "accumulation_s": ("f8", "row", "s", "from the time of the row on"),
        **_of("electron"),
        **_of("proton"),
        **_of("ion"),
    },
    latest=("electron_total_flux", "proton_total_flux", "ion_total_flux"),
    view=(
        View(
            "MEPA, protons", "energies", {"array": "proton_flux", "energy": "proton_energy_low_mev", "unit": "MeV"}
        ),
    ),
    file_word="MEPA",
)

INSTRUMENT = InstrumentFolder(
    instruments={"mepa": "mepa:Mepa"},
    kinds=(FLUX,),
    archive=InstrumentArchive(platform="orbiter"),
)

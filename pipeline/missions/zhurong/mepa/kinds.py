"""MEPA, the orbiter's energetic particle analyser: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

FLUX = ProductKind(
    "mepa",
    "flux",
    "2B",
    {
        "accumulation_s": ("f8", "row", "s", "from the time of the row on"),
        "electron_rate_per_s": ("f8", "row electron_channel", "s-1", "without dead time"),
        "electron_flux": ("f8", "row electron_channel", "cm-2 s-1 sr-1 MeV-1", "differential"),
        "electron_flux_sigma": ("f8", "row electron_channel", "cm-2 s-1 sr-1 MeV-1", "one sigma of counting"),
        "electron_total_flux": ("f8", "row", "cm-2 s-1 sr-1", "over the channels"),
        "electron_energy_low_mev": ("f8", "electron_channel", "MeV", "of the channel"),
        "electron_energy_high_mev": ("f8", "electron_channel", "MeV", "of the channel"),
        "proton_rate_per_s": ("f8", "row proton_channel", "s-1", "without dead time"),
        "proton_flux": ("f8", "row proton_channel", "cm-2 s-1 sr-1 MeV-1", "differential"),
        "proton_flux_sigma": ("f8", "row proton_channel", "cm-2 s-1 sr-1 MeV-1", "one sigma of counting"),
        "proton_total_flux": ("f8", "row", "cm-2 s-1 sr-1", "over the channels"),
        "proton_energy_low_mev": ("f8", "proton_channel", "MeV", "of the channel"),
        "proton_energy_high_mev": ("f8", "proton_channel", "MeV", "of the channel"),
        "ion_rate_per_s": ("f8", "row ion_channel", "s-1", "without dead time"),
        "ion_flux": ("f8", "row ion_channel", "cm-2 s-1 sr-1 MeV-1", "differential"),
        "ion_flux_sigma": ("f8", "row ion_channel", "cm-2 s-1 sr-1 MeV-1", "one sigma of counting"),
        "ion_total_flux": ("f8", "row", "cm-2 s-1 sr-1", "over the channels"),
        "ion_energy_low_mev": ("f8", "ion_channel", "MeV", "of the channel"),
        "ion_energy_high_mev": ("f8", "ion_channel", "MeV", "of the channel"),
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

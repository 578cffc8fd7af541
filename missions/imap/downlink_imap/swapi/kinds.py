"""SWAPI: counts of energy sweeps, and housekeeping."""

from __future__ import annotations

from downlink_pipeline.api import Curves, InstrumentFolder, Look, ProductKind, View

N_STEPS, PACKETS_PER_SWEEP, STEPS_PER_PACKET = 72, 12, 6
_DETECTORS = {
    "primary": "primary detector",
    "secondary": "secondary detector",
    "coincidence": "both detectors at once",
}

SWEEP = ProductKind(
    "swapi",
    "sweep",
    "1A",
    {
        **{
            f"{name}_counts": (
                "f4",
                "row step=72",
                "count",
                f"{words}, in 1/6 s at each of 72 steps; NaN: none came",
            )
            for name, words in _DETECTORS.items()
        },
        "analyser_v": ("f8", "row packet=12", "V", "commanded to the analyser in the last step of each packet"),
        "plan_id": ("u1", "row", "1", "of the sweep"),
        "sweep_table": ("u1", "row", "1", "of the sweep"),
        "mode": ("U", "row", "", "LVENG, LVSCI, HVENG or HVSCI"),
    },
    files=("netcdf", "cdf", "quicklook"),
    view=(),
    file_word="SWAPI-SCI",
)

MONITORS: dict[str, tuple[str, str, str]] = {
    "sensor_temperature_degc": ("SENSOR_T", "degC", "detectors"),
    "supply_temperature_degc": ("HVSUPP_T", "degC", "high voltage supply"),
    "controller_temperature_degc": ("CNTRLR_T", "degC", "controller"),
    "pcem_v": ("PCEM_V", "V", "primary channel electron multiplier"),
    "scem_v": ("SCEM_V", "V", "secondary channel electron multiplier"),
    "pcem_current_ua": ("PCEM_I", "uA", "strip current of the primary multiplier"),
    "scem_current_ua": ("SCEM_I", "uA", "strip current of the secondary multiplier"),
    "cem_current_ua": ("CEM_I", "uA", "limit at which the multipliers are brought down"),
    "plus_5_v": ("P5_V", "V", "+5 V supply"),
    "minus_5_v": ("N5_V", "V", "-5 V supply"),
    "plus_5_current_ma": ("P5_I", "mA", "+5 V supply"),
    "minus_5_current_ma": ("N5_I", "mA", "-5 V supply"),
    "ground_v": ("AGND_VOLT", "V", "analogue ground"),
    "reference_2_5_v": ("P2_5_V", "V", "+2.5 V reference"),
    "discriminator_1_v": ("PHD_LLD1_V", "V", "threshold of the primary detector"),
    "discriminator_2_v": ("PHD_LLD2_V", "V", "threshold of the secondary detector"),
    "digital_2_5_v": ("P2V5D", "V", "+2.5 V of the gate array"),
    "lvds_3_3_v": ("P3V3_V_MON", "V", "+3.3 V of the interface"),
    "pcem_command_v": ("P_CEM_CMD_LVL_MON", "V", "commanded level of the primary multiplier"),
    "scem_command_v": ("S_CEM_CMD_LVL_MON", "V", "commanded level of the secondary multiplier"),
    "analyser_command_v": ("ESA_CMD_LVL_MON", "V", "commanded level of the analyser"),
    "analyser_v": ("ESA_V", "V", "electrostatic analyser"),
    "analyser_plus_5_v": ("P5V_ESA_V_MON", "V", "+5 V supply of the analyser"),
    "analyser_minus_5_v": ("M5V_ESA_V_MON", "V", "-5 V supply of the analyser"),
    "analyser_plus_5_current_ma": ("P5V_ESA_I_MON", "mA", "+5 V supply of the analyser"),
    "analyser_minus_5_current_ma": ("M5V_ESA_I_MON", "mA", "-5 V supply of the analyser"),
}
"""Column, unit and words of each monitor."""
STATES: dict[str, tuple[str, str]] = {
    "commands_executed": ("CMDEXE", "since the start, modulo 256"),
    "commands_rejected": ("CMDRJCT", "since the start, modulo 256"),
    "software_revision": ("SWP_REV", ""),
    "plan_id": ("PLAN_ID", "in use"),
    "sweep_id": ("SWEEP_ID", "in use"),
    "missed_pps": ("MISSED_PPS_CNT", "seconds without a pulse of the spacecraft, at most 3"),
}
EXTENDED = frozenset(name for name in MONITORS if name.startswith(("analyser_plus", "analyser_minus")))
"""Those of packets of 84 bytes."""


HOUSEKEEPING = ProductKind(
    "swapi",
    "housekeeping",
    "1B",
    {
        **{name: ("f8", "row", unit, words) for name, (_, unit, words) in MONITORS.items()},
        **{name: ("u1", "row", "1", words) for name, (_, words) in STATES.items()},
    },
    latest=("sensor_temperature_degc", "pcem_v", "scem_v", "analyser_v"),
    files=("netcdf", "cdf"),
    view=(
        View(
            "SWAPI, high voltages",
            "lines",
            {"arrays": {"pcem_v": "PCEM", "scem_v": "SCEM", "analyser_v": "analyser"}, "label": "voltage"},
        ),
    ),
    file_word="SWAPI-HK",
    optional=EXTENDED,
)

_TEMPERATURES = ("sensor_temperature_degc", "supply_temperature_degc", "controller_temperature_degc")
_HIGH_VOLTAGES = ("pcem_v", "scem_v", "analyser_v")
LOOK = Look(
    "SWAPI",
    curves=(
        Curves("High voltages", "swapi/housekeeping", _HIGH_VOLTAGES, "V", ("PCEM", "SCEM", "analyser")),
        Curves("Temperatures", "swapi/housekeeping", _TEMPERATURES, "degC", ("detectors", "supply", "controller")),
    ),
)

INSTRUMENT = InstrumentFolder(
    instruments={"swapi": "swapi:Swapi"},
    kinds=(SWEEP, HOUSEKEEPING),
    dictionary=("housekeeping_2024.xml",),
    looks=(LOOK,),
)

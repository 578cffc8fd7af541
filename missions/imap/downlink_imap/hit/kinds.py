"""HIT: housekeeping."""

from __future__ import annotations

from downlink_pipeline.api import InstrumentFolder, ProductKind

N_LEAKAGE = 64
VOLTAGES: dict[str, tuple[str, str]] = {
    "preamp_l234a_v": ("PREAMP_L234A", "preamplifier of L2, L3 and L4, side A"),
    "preamp_l1a_v": ("PREAMP_L1A", "preamplifier of L1, side A"),
    "preamp_l1b_v": ("PREAMP_L1B", "preamplifier of L1, side B"),
    "preamp_l234b_v": ("PREAMP_L234B", "preamplifier of L2, L3 and L4, side B"),
    "digital_3_4_v": ("EBOX_3D4VD", "+3.4 V, digital"),
    "digital_5_1_v": ("EBOX_5D1VD", "+5.1 V, digital"),
    "digital_2_0_v": ("EBOX_P2D0VD", "+2.0 V, digital"),
    "analogue_plus_12_v": ("EBOX_P12VA", "+12 V, analogue"),
    "analogue_minus_12_v": ("EBOX_M12VA", "-12 V, analogue"),
    "analogue_plus_5_7_v": ("EBOX_P5D7VA", "+5.7 V, analogue"),
    "analogue_minus_5_7_v": ("EBOX_M5D7VA", "-5.7 V, analogue"),
    "reference_5_v": ("REF_P5V", "+5 V reference"),
    "bias_l1_v": ("L1AB_BIAS", "bias of L1"),
    "bias_l2_v": ("L2AB_BIAS", "bias of L2"),
    "bias_l34a_v": ("L34A_BIAS", "bias of L3 and L4, side A"),
    "bias_l34b_v": ("L34B_BIAS", "bias of L3 and L4, side B"),
}
"""Column, without the container's name before it, and words."""
TEMPERATURES: dict[str, tuple[str, str]] = {
    "front_end_regulator_counts": ("TEMP0_COUNTS", "thermistor of the front end's regulator"),
    "primary_heater_counts": ("TEMP1_COUNTS", "thermistor of the primary heater"),
    "front_end_array_counts": ("TEMP2_COUNTS", "thermistor of the front end's gate array"),
    "secondary_heater_counts": ("TEMP3_COUNTS", "thermistor of the secondary heater"),
    "chassis_counts": ("ANALOG_TEMP_COUNTS", "thermistor of the chassis"),
    "high_voltage_board_counts": ("HVPS_TEMP_COUNTS", "thermistor of the high voltage supply's board"),
    "processor_regulator_counts": ("IDPU_TEMP_COUNTS", "thermistor of the processing unit's regulator"),
    "low_voltage_board_counts": ("LVPS_TEMP_COUNTS", "thermistor of the low voltage supply's board"),
}
STATES: dict[str, tuple[str, str, str]] = {
    "mode": ("MODE", "u1", "0: boot, 1: maintenance, 2: standby, 3: science"),
    "good_commands": ("NUM_GOOD_CMDS", "u1", "commands taken"),
    "bad_commands": ("NUM_BAD_CMDS", "u1", "commands refused"),
    "errors": ("NUM_ERRORS", "u1", "errors since the start"),
    "events": ("NUM_EVNT_LAST_HK", "u4", "events since the last housekeeping packet"),
    "front_end_running": ("FEE_RUNNING", "u1", "1: running, 0: reset"),
    "high_voltage_enabled": ("ENABLE_HVPS", "u1", "1: enabled"),
    "heater_control": ("HEATER_CONTROL", "u1", "0: none, 1: primary, 2: secondary"),
    "heater_on": ("HEATER_ON", "u1", "1: on"),
    "test_pulser_on": ("TEST_PULSER_ON", "u1", "1: on"),
    "dynamic_threshold": ("DYN_THRESH_LVL", "u1", "level, 0 to 3"),
}
"""Column, type and words."""

HOUSEKEEPING = ProductKind(
    "hit",
    "housekeeping",
    "1B",
    {
        "leakage_v": (
            "f8",
            "row channel=64",
            "V",
            "leakage current of each channel, as the voltage that is measured",
        ),
        **{name: ("f8", "row", "V", words) for name, (_, words) in VOLTAGES.items()},
        **{name: ("u2", "row", "count", words) for name, (_, words) in TEMPERATURES.items()},
        **{name: (dtype, "row", "1", words) for name, (_, dtype, words) in STATES.items()},
    },
    latest=("digital_3_4_v", "bias_l1_v", "bias_l2_v"),
    files=("netcdf", "cdf"),
    view=(),
    file_word="HIT-HK",
)

INSTRUMENT = InstrumentFolder(
    instruments={"hit": "hit:Hit"},
    kinds=(HOUSEKEEPING,),
    dictionary=("temperatures.xml",),
)

"""Rows by hand: a column batch of each of Zhurong's containers, filled with zeros but for what a test says."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.clock.onboard import OnboardClock
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.mission.toml_lines import validation_problems
from downlink_pipeline.model.batches import ColumnBatch, Ragged
from downlink_pipeline.products.context import Context, Site
from downlink_pipeline.products.instrument import family
from downlink_pipeline.products.suite import Suite
from pydantic import ValidationError

CALIBRATION = Path(__file__).parents[4] / "configs/zhurong/calibration"
INSTRUMENTS = load_mission(str(CALIBRATION.parent)).instruments
EPOCH_NS = 1_451_577_600_000_000_000  # 2015-12-31T16:00:00Z
SITE = Site(109.908440, 25.083319, -4918.556, "MARS_COORDINATE_SYSTEM", 52386, "landing site")

# container: (APID, {column: (dtype, shape of a row)}), after docs/zhurong-packets.md; calibrated columns are floats
RADAR = {
    "CHANNEL": ("u4", ()), "ONBOARD_SECONDS": ("u4", ()), "ONBOARD_MILLISECONDS": ("u2", ()),
    "FRAME_COUNT": ("u1", ()), "DATA_NODE": ("u1", ()), "WORK_MODE": ("U9", ()), "TRIGGER_MODE": ("U14", ()),
    "EFFECTIVE_LENGTH_BYTES": ("u2", ()),
    "VELOCITY_X": ("f8", ()), "VELOCITY_Y": ("f8", ()), "VELOCITY_Z": ("f8", ()), "POSITION_X": ("f8", ()),
    "POSITION_Y": ("f8", ()), "POSITION_Z": ("f8", ()), "PITCH": ("f8", ()), "YAW": ("f8", ()), "ROLL": ("f8", ()),
    "NAVIGATION_BLOCK": ("u1", (18,)),
}  # fmt: skip
FLAG = ("?", ())
NUMBER = ("f8", ())
STRIPE = {
    **dict.fromkeys(("IMAGE_ID", "SEQUENCE_ID", "FIRST_LINE", "N_LINES", "IMAGE_LINES", "IMAGE_SAMPLES"), ("u2", ())),
    **dict.fromkeys(("WINDOW_LINE", "WINDOW_SAMPLE", "FRAME_COUNT", "STRIPE_LENGTH_BYTES"), ("u2", ())),
    **dict.fromkeys(("CAMERA", "STRIPE", "N_STRIPES", "BINNING", "FOCUS_GEAR", "AUX_QUALITY"), ("u1", ())),
    **dict.fromkeys(("ROVER_YAW", "ROVER_PITCH", "ROVER_ROLL", "MAST_YAW", "MAST_PITCH", "MAST_ROLL"), NUMBER),
    **dict.fromkeys(("COMPRESS_MODE", "IMAGE_MODE", "EXPOSURE_MODE", "FOCUS_MODE"), ("U9", ())),
    "COMPRESS_RATIO": NUMBER, "EXPOSURE": ("u4", ()), "DETECTOR_TEMPERATURE": NUMBER, "STRIPE_DATA": None,
}  # fmt: skip
PDU = {
    **dict.fromkeys(("PDU_TYPE", "CRC_FLAG", "LARGE_FILE", "SEGMENT_METADATA", "ENTITY_LENGTH"), ("u1", ())),
    "NUMBER_LENGTH": ("u1", ()), "TRANSACTION": ("u2", ()), "PDU_DATA": None,
}  # fmt: skip
LAYOUT = {
    "NAVIGATION": (257, {
        "FRAME_ID": ("u1", ()), "DRIVE_MODE": ("U8", ()), "POSITION_NORTH": NUMBER, "POSITION_EAST": NUMBER,
        "POSITION_DOWN": NUMBER, "Q_SCALAR": NUMBER, "Q_X": NUMBER, "Q_Y": NUMBER, "Q_Z": NUMBER,
        "VELOCITY_NORTH": NUMBER, "VELOCITY_EAST": NUMBER, "VELOCITY_DOWN": NUMBER, "WHEEL_RATE": ("f8", (6,)),
        "MAST_YAW": NUMBER, "MAST_PITCH": NUMBER, "OBSTACLE": FLAG, "SLIP": NUMBER,
    }),
    "ENGINEERING": (258, {
        "GPR_ON": FLAG, "MAGNETOMETER_ON": FLAG, "WEATHER_ON": FLAG, "LIBS_ON": FLAG, "SWIR_ON": FLAG,
        "WING_CURRENT": ("f8", (4,)), "BUS_VOLTAGE": NUMBER, "BATTERY_VOLTAGE": NUMBER, "BATTERY_CURRENT": NUMBER,
        "BATTERY_CHARGE": NUMBER, "BATTERY_TEMPERATURE": ("i1", ()), "TEMPERATURE": ("f8", (16,)),
        "BOOT_COUNT": ("u2", ()), "CLOCK_STATE": ("U12", ()), "ACTIVITY": ("U16", ()),
    }),
    "EVENT": (259, {"SEVERITY": ("U7", ()), "EVENT_ID": ("u2", ()), "TEXT_LENGTH_BYTES": ("u1", ()), "TEXT": None}),
    "TIME_CORRELATION": (261, {
        "CLOCK_PARTITION": ("u1", ()), "CORRELATION_METHOD": ("U6", ()), "LOCK_SECONDS": ("u4", ()),
        "LOCK_MILLISECONDS": ("u2", ()), "RECEIVED_SECONDS": ("u4", ()), "RECEIVED_MICROSECONDS": ("u4", ()),
        "LIGHT_TIME": NUMBER, "ELECTRONICS_DELAY": NUMBER,
    }),
    "GPR_HF": (273, {
        **RADAR, "POLARIZATION": ("U2", ()), "SELF_TEST_SWITCH": ("u1", ()), "SAMPLES": ("f4", (4096,)),
    }),
    "GPR_LF": (274, {
        **RADAR, "SAMPLING_WINDOW": ("U12", ()), "TRACE_INTERVAL": NUMBER, "SAMPLES": ("f4", (3000,)),
    }),
    "MAGNETOMETER": (289, {
        "SAMPLE_RATE": ("u1", ()), "TEMPERATURE_A": NUMBER, "TEMPERATURE_B": NUMBER,
        "FIELD_A": ("i4", (32, 3)), "FIELD_B": ("i4", (32, 3)),
    }),
    "WEATHER": (305, {
        "PRESSURE_SENSOR_THERMISTOR": ("u2", ()), "AIR_PRT": ("u2", (10,)), "PRESSURE_VOLTAGE": ("u2", (10,)),
        "WIND_POWER": ("u2", (10, 4)),
    }),
    "SOUND": (306, {
        "BURST_ID": ("u2", ()), "SAMPLE_RATE": ("u2", ()), "AMPLIFIER_GAIN": ("u1", ()), "SAMPLE_COUNT": ("u4", ()),
        "SAMPLES": ("i2", (2000,)),
    }),
    "LIBS": (321, {
        "POINT_ID": ("u2", ()), "KIND": ("U7", ()), "SHOT": ("u1", ()), "DETECTOR_TEMPERATURE": NUMBER,
        "EXPOSURE": ("u4", ()), "DISTANCE": ("u2", ()), "CHANNEL_COUNT": ("u2", ()),
        "TARGET": ("U8", ()), "SPECTRUM": ("u2", (5400,)),
    }),
    "ORBITER_STATE": (1287, {f"{what}_{axis}": NUMBER for what in ("POSITION", "VELOCITY") for axis in "XYZ"}),
    "MOMAG": (1296, {
        "SAMPLE_RATE": ("u1", ()), "TEMPERATURE_OUTER": NUMBER, "TEMPERATURE_INNER": NUMBER,
        "FIELD_OUTER": ("i4", (128, 3)), "FIELD_INNER": ("i4", (128, 3)),
    }),
    "MMS": (1300, {
        "KIND": ("U5", ()), "BIN": ("u1", ()), "EXPOSURE_VISIBLE": ("u4", ()), "EXPOSURE_INFRARED": ("u4", ()),
        "DETECTOR_TEMPERATURE": NUMBER, "SPECTRUM_VISIBLE": ("u2", (256,)), "SPECTRUM_INFRARED": ("u2", (320,)),
    }),
    "MINPA": (1304, {"SPECIES": ("U4", ()), "ACCUMULATION": ("u2", ()), "COUNTS": ("u2", (32, 4, 16))}),
    "MEPA": (1308, {
        "ACCUMULATION": ("u2", ()), "ELECTRON": ("u4", (8,)), "PROTON": ("u4", (8,)), "ION": ("u4", (8,)),
    }),
    "MOSIR": (1312, {
        "BAND": ("U10", ()), "GAIN": ("u1", ()), "WINDOW_DELAY": ("u4", ()), "ECHO": ("i2", (1024, 2)),
    }),
    "MSCAM": (353, STRIPE),
    "NATECAM": (354, STRIPE),
    "MORIC_PDU": (1340, PDU),
    "SWIR": (337, {
        "POINT_ID": ("u2", ()), "KIND": ("U7", ()), "GAIN": ("u1", ()), "AOTF_TEMPERATURE": NUMBER,
        "EXPOSURE": ("u4", ()), "RF_START": ("u4", ()), "RF_STEP": ("u2", ()), "SPECTRUM": ("u2", (321,)),
    }),
}  # fmt: skip


def make_rows(container, time_s, *, order=None, seq_count=None, quality=0, columns=None, apid=None):
    """`time_s`: onboard seconds of each row. `columns`: values that broadcast to the column's shape."""
    n = len(time_s)
    known_apid, layout = LAYOUT.get(container, (999, {}))
    filled = {name: np.zeros((n, *spec[1]), spec[0]) for name, spec in layout.items() if spec}
    if container == "EVENT":
        filled["TEXT"] = Ragged(np.empty(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64))
    for name, value in (columns or {}).items():
        if name in filled and not isinstance(value, Ragged):
            filled[name][...] = value
        else:
            filled[name] = value
    return ColumnBatch(
        container,
        np.rint(np.asarray(time_s, np.float64) * 1e9).astype(np.int64),
        filled,
        {},
        {},
        np.full(n, known_apid if apid is None else apid, np.uint16),
        np.arange(n, dtype=np.uint16) if seq_count is None else np.asarray(seq_count, np.uint16),
        np.zeros(n, np.int64),
        np.arange(n, dtype=np.int64) if order is None else np.asarray(order, np.int64),
        np.full(n, quality, np.uint32),
    )


@pytest.fixture
def rows():
    return make_rows


@pytest.fixture(scope="session")
def calibrations():
    return {
        name: tomllib.loads((CALIBRATION / f"{name}.toml").read_text())
        for name in {family(*one) for one in INSTRUMENTS.items()}
    }


@pytest.fixture
def suite(calibrations):
    """A suite of some instruments, or of all."""

    def make(*names, window_s=10.0, site=SITE, more=None, **context):
        known = {**INSTRUMENTS, **(more or {})}
        return Suite(
            {name: known[name] for name in names or INSTRUMENTS},
            calibrations,
            Context("zhurong", "test", OnboardClock(EPOCH_NS), site, window_s, {"dictionary": "abc"}, **context),
        )

    return make


@pytest.fixture
def products(suite):
    """All products of some batches, fed at once, by name."""

    def run(*batches, names=(), **context):
        one = suite(*names, **context)
        return {f"{p.instrument}/{p.product}": p for p in [*one.make_products(batches), *one.flush()]}

    return run


@pytest.fixture
def level():
    """A NAVIGATION row a second from `start_s`: level, heading north, mast forward; columns may say else."""

    def make(start_s, n=2, order=0, **columns):
        return make_rows(
            "NAVIGATION",
            start_s + np.arange(n),
            order=order + np.arange(n),
            columns={"Q_SCALAR": 1.0, "DRIVE_MODE": "STOPPED", **columns},
        )

    return make


@pytest.fixture(scope="session")
def layout():
    return LAYOUT


@pytest.fixture
def calibration_problems():
    """A function: texts of the problems of a table for a model."""

    def found(model, table):
        try:
            model.model_validate(table)
        except ValidationError as error:
            return [one.text for one in validation_problems(error, "", "", model)]
        return []

    return found

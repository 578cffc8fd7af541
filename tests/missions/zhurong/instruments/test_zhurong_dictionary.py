"""configs/zhurong/telemetry.xml against the page that it describes: packets packed here, with `struct`."""

import os
import struct
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder, TimeTerm
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import PacketBatch, Quality, Ragged
from lxml import etree

DATA = Path(os.environ.get("DOWNLINK_REAL_DATA", Path(__file__).parents[5] / "shared/data")) / "zhurong-roper"
XML = Path(__file__).parents[4] / "configs/zhurong/telemetry.xml"
TIME = struct.pack(">IH", 170338801, 81)
TERMS = (
    TimeTerm("ONBOARD_SECONDS", 1e9),
    TimeTerm("ONBOARD_MILLISECONDS", 1e6),
    TimeTerm("ORBITER_TICKS", 1e5, clock=1),
)


@pytest.fixture(scope="module")
def plan():
    return compile_plan(read_xtce(XML.read_bytes(), str(XML)), "CCSDSPacket")


@pytest.fixture
def decode(plan):
    """Packet data fields of one APID to the one column batch that they make."""

    def run(apid, *fields):
        packets = [
            struct.pack(">HHH", apid, 0xC000 | count, (len(data) - 1) & 0xFFFF) + data
            for count, data in enumerate(fields)
        ]
        length = np.array([len(packet) for packet in packets], np.int64)
        n = len(packets)
        batch = PacketBatch(
            np.frombuffer(b"".join(packets), np.uint8),
            np.cumsum(length) - length,
            length,
            np.full(n, apid, np.uint16),
            np.arange(n, dtype=np.uint16),
            np.full(n, 3, np.uint8),
            np.full(n, 245, np.uint16),
            np.full(n, 5, np.uint8),
            np.zeros(n, np.int64),
            np.zeros(n, np.uint32),
        )
        return Decoder(plan, TERMS).decode(batch)[0]

    return run


def values(batch, *names):
    return [batch.columns[name][0].tolist() for name in names]


class XmlAttributes(etree.Resolver):
    """The one attribute of the XML namespace that the schema imports, without the network."""

    def resolve(self, system_url, public_id, context):  # noqa: ARG002 - lxml's signature
        if not system_url.endswith("xml.xsd"):
            return None
        return self.resolve_string(
            '<schema xmlns="http://www.w3.org/2001/XMLSchema" '
            'targetNamespace="http://www.w3.org/XML/1998/namespace">'
            '<attribute name="base" type="anyURI"/></schema>',
            context,
        )


def test_the_dictionary_is_valid_by_the_schema_of_the_omg():
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(XmlAttributes())
    schema = files("space_packet_parser") / "xtce/schemas/SpaceSystem.xsd"
    etree.XMLSchema(etree.parse(str(schema), parser)).assertValid(etree.parse(str(XML)))


# Packet data fields of the table in docs/zhurong-packets.md; a container may not be longer or shorter
@pytest.mark.parametrize(
    ("apid", "container", "length_bytes"),
    [
        (257, "NAVIGATION", 51),
        (258, "ENGINEERING", 71),
        (259, "EVENT", 10),
        (261, "TIME_CORRELATION", 30),
        (273, "GPR_HF", 16420),
        (274, "GPR_LF", 12036),
        (289, "MAGNETOMETER", 587),
        (305, "WEATHER", 128),
        (321, "LIBS", 10823),
        (337, "SWIR", 664),
        (353, "MSCAM", 57),
        (354, "NATECAM", 57),
        (1287, "ORBITER_STATE", 114),
        (1296, "MOMAG", 2315),
        (1300, "MMS", 1170),
        (1304, "MINPA", 4105),
        (1308, "MEPA", 104),
        (1312, "MOSIR", 4108),
    ],
)
def test_each_container_is_as_long_as_the_page_says(decode, apid, container, length_bytes):
    batch = decode(apid, bytes(length_bytes))
    assert batch.container == container
    assert not batch.quality[0] & Quality.UNDESCRIBED
    assert decode(apid, bytes(length_bytes + 1)).quality[0] & Quality.UNDESCRIBED


def test_onboard_time_is_seconds_and_milliseconds(decode):
    assert decode(259, TIME + bytes(4)).time_ns.tolist() == [170_338_801_081_000_000]


def test_the_orbiters_time_is_a_count_of_100_microseconds_at_packet_byte_18(decode):
    field = bytearray(114)
    field[12:18] = (1_703_514_000_001).to_bytes(6, "big")
    assert decode(1287, bytes(field)).time_ns.tolist() == [170_351_400_000_100_000]


def test_the_state_vector_is_six_floats_at_packet_bytes_72_to_119(decode):
    batch = decode(1287, bytes(66) + struct.pack(">6d", 1, 2, 3, 4, 5, 6))
    names = [f"{what}_{axis}" for what in ("POSITION", "VELOCITY") for axis in "XYZ"]
    assert values(batch, *names) == [1, 2, 3, 4, 5, 6]


@pytest.fixture
def navigation(decode):
    return decode(
        257,
        TIME
        + bytes([3, 1])
        + struct.pack(">3i", 1000, -2500, 7)
        + struct.pack(">4h", 16384, -16384, 8192, 0)
        + struct.pack(">3h", 55, -56, 1)
        + struct.pack(">6h", 100, -100, 200, -200, 300, -300)
        + struct.pack(">2h", -9050, 1234)
        + bytes([0x80 | 25]),
    )


def test_navigation_position_is_in_metres(navigation):
    assert values(navigation, "POSITION_NORTH", "POSITION_EAST", "POSITION_DOWN") == pytest.approx(
        [1.0, -2.5, 0.007]
    )


def test_navigation_quaternion_is_in_parts_of_16384(navigation):
    assert values(navigation, "Q_SCALAR", "Q_X", "Q_Y", "Q_Z") == [1.0, -1.0, 0.5, 0.0]


def test_navigation_velocity_is_in_metres_per_second(navigation):
    assert values(navigation, "VELOCITY_NORTH", "VELOCITY_EAST", "VELOCITY_DOWN") == pytest.approx(
        [0.055, -0.056, 0.001]
    )


def test_navigation_wheels_and_mast_are_in_degrees(navigation):
    assert values(navigation, "WHEEL_RATE")[0] == pytest.approx([1, -1, 2, -2, 3, -3])
    assert values(navigation, "MAST_YAW", "MAST_PITCH") == pytest.approx([-90.5, 12.34])


def test_navigation_names_its_mode_and_flags(navigation):
    assert values(navigation, "FRAME_ID", "DRIVE_MODE", "OBSTACLE") == [3, "DRIVING", True]
    assert values(navigation, "SLIP") == pytest.approx([0.25])


@pytest.fixture
def engineering(decode):
    return decode(
        258,
        TIME
        + bytes([0b10100_000])
        + bytes([0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC])  # four times 12 bits: 0x123 0x456 0x789 0xABC
        + bytes([0xAF, 0x0B, 0x01])  # 0xAF0 = 2800, 0xB01 = 2817
        + struct.pack(">hBb", -400, 161, -15)
        + struct.pack(">16H", *range(30000, 46000, 1000))
        + struct.pack(">HB", 513, 1)
        + b"DRIVE".ljust(16, b"\0"),
    )


def test_engineering_flags_are_bits(engineering):
    names = ("GPR_ON", "MAGNETOMETER_ON", "WEATHER_ON", "LIBS_ON", "SWIR_ON")
    assert values(engineering, *names) == [True, False, True, False, False]


def test_engineering_currents_of_12_bits_are_in_ampere(engineering):
    assert values(engineering, "WING_CURRENT")[0] == pytest.approx([1.455, 5.55, 9.645, 13.74])


def test_engineering_battery_is_in_volt_ampere_percent_and_degrees(engineering):
    names = ("BUS_VOLTAGE", "BATTERY_VOLTAGE", "BATTERY_CURRENT", "BATTERY_CHARGE", "BATTERY_TEMPERATURE")
    assert values(engineering, *names) == pytest.approx([28.0, 28.17, -2.0, 80.5, -15])


def test_engineering_temperatures_are_minus_150_plus_0_005_n(engineering):
    assert values(engineering, "TEMPERATURE")[0] == pytest.approx([5 * i for i in range(16)])


def test_engineering_text_ends_at_its_zeros(engineering):
    assert values(engineering, "BOOT_COUNT", "CLOCK_STATE", "ACTIVITY") == [513, "SYNCHRONISED", "DRIVE"]


def test_event_text_is_as_long_as_it_says(decode):
    batch = decode(259, TIME + struct.pack(">BHB", 2, 300, 4) + b"warm", TIME + struct.pack(">BHB", 0, 1, 0))
    text = batch.columns["TEXT"]
    assert isinstance(text, Ragged)
    assert text.length.tolist() == [4, 0]
    assert text.values[text.start[0] :][:4].tobytes() == b"warm"
    assert batch.columns["SEVERITY"].tolist() == ["ERROR", "INFO"]


def radar(tail, samples, *, low=False):
    if low:
        head = (
            struct.pack(">I", 0x146F1111)
            + TIME
            + bytes([7, 0xCC, 0xAA, 0xFF, 0x0F, 0x32])
            + struct.pack(">H", 12000)
        )
    else:
        head = (
            struct.pack(">I", 0x146F2222)
            + TIME
            + bytes([5, 0xA8, 0xCC, 0x0F, 0xEE, 0xAA])
            + struct.pack(">H", 16384)
        )
    return head + samples.astype("<f4").tobytes() + struct.pack(">9H", *tail)


TAIL = (0x8005, 0x0005, 0x8000, 0x7FFF, 0xFFFF, 0x0001, 0x4000, 0xC000, 0x8001)


@pytest.mark.parametrize(("apid", "n", "low"), [(273, 4096, False), (274, 3000, True)])
def test_radar_samples_are_little_endian(decode, apid, n, low):
    samples = np.arange(n, dtype=np.float32) / 3
    assert np.array_equal(decode(apid, radar(TAIL, samples, low=low)).columns["SAMPLES"][0], samples)


@pytest.mark.parametrize(("apid", "n", "low"), [(273, 4096, False), (274, 3000, True)])
def test_radar_navigation_is_sign_magnitude(decode, apid, n, low):
    batch = decode(apid, radar(TAIL, np.zeros(n), low=low))
    assert values(batch, "VELOCITY_X", "VELOCITY_Y", "VELOCITY_Z") == pytest.approx([-5e-5, 5e-5, 0.0])
    assert values(batch, "POSITION_X", "POSITION_Y", "POSITION_Z") == pytest.approx([327.67, -327.67, 0.01])
    assert values(batch, "PITCH", "YAW", "ROLL") == pytest.approx([90.0, -90.0, -180 / 32768])


@pytest.mark.parametrize(("apid", "n", "low"), [(273, 4096, False), (274, 3000, True)])
def test_the_navigation_block_is_the_last_18_bytes(decode, apid, n, low):
    block = decode(apid, radar(TAIL, np.zeros(n), low=low)).columns["NAVIGATION_BLOCK"]
    assert np.asarray(block)[0].tobytes() == struct.pack(">9H", *TAIL)


def signed(words):
    return np.where(words & 0x8000, -(words & 0x7FFF).astype(np.int64), words & 0x7FFF)


@pytest.mark.parametrize(
    ("name", "apid", "product", "record_bytes", "packet_bytes"),
    [
        ("HX1-Ro_GRAS_RoPeR-HF-HH_SCI_N_20210525042001_20210525043243_00011_A.2B", 273, "high", 16453, 16420),
        ("HX1-Ro_GRAS_RoPeR-LF-RI_SCI_N_20210525042000_20210525042951_00011_A.2B", 274, "low", 12069, 12036),
    ],
)
def test_real_radar_records_come_through_dictionary_and_instrument(
    decode, suite, name, apid, product, record_bytes, packet_bytes
):
    """Science records (byte 12 or 13 says 0xFF): their navigation block and what it says, sign and magnitude."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"the archived radar record {path} is not here")
    record = np.fromfile(path, np.uint8).reshape(-1, record_bytes)[:, :packet_bytes]
    one = suite("gpr")
    made = [*one.make_products([decode(apid, *(row.tobytes() for row in record))]), *one.flush()]
    made = [p for p in made if p.product == f"{product}_frequency"]
    science = record[record[:, 12 if apid == 273 else 13] == 0xFF]
    block = science[:, -18:]
    counts = signed(np.ascontiguousarray(block).view(">u2").astype(np.int64))

    def got(key):
        return np.concatenate([p.arrays[key].values for p in made])

    assert np.array_equal(got("navigation_block"), block)
    assert np.allclose(got("velocity_m_s"), counts[:, 0:3] * 1e-5, rtol=0, atol=1e-12)
    assert np.allclose(got("position_m"), counts[:, 3:6] * 0.01, rtol=0, atol=1e-12)
    assert np.allclose(got("attitude_deg"), counts[:, [8, 6, 7]] * 180 / 32768, rtol=0, atol=1e-12)
    assert np.array_equal(got("onboard_seconds"), np.ascontiguousarray(science[:, 4:8]).view(">u4")[:, 0])


def test_high_frequency_header_has_its_modes(decode):
    batch = decode(273, radar(TAIL, np.zeros(4096)))
    names = ("CHANNEL", "FRAME_COUNT", "DATA_NODE", "WORK_MODE", "TRIGGER_MODE", "POLARIZATION", "SELF_TEST_SWITCH")
    assert values(batch, *names) == [0x146F2222, 5, 0xA8, "SELF_TEST", "FIXED_DISTANCE", "HH", 0xAA]


def test_low_frequency_header_has_its_window_and_interval(decode):
    batch = decode(274, radar(TAIL, np.zeros(3000), low=True))
    names = ("CHANNEL", "FRAME_COUNT", "DATA_NODE", "SAMPLING_WINDOW", "WORK_MODE", "TRIGGER_MODE")
    assert values(batch, *names) == [0x146F1111, 7, 0xCC, "WINDOW_15_US", "SCIENCE", "FIXED_DISTANCE"]
    assert values(batch, "TRACE_INTERVAL", "EFFECTIVE_LENGTH_BYTES") == pytest.approx([0.5, 12000])


def test_a_polarization_that_is_not_known_is_flagged(decode):
    data = bytearray(radar(TAIL, np.zeros(4096)))
    data[14] = 0x77
    assert decode(273, bytes(data)).quality[0] & Quality.UNKNOWN_VALUE


def test_magnetometer_counts_are_24_bits_with_sign(decode):
    counts = np.arange(192) * 87654 - 8388608
    octets = b"".join(int(count).to_bytes(3, "big", signed=True) for count in counts)
    batch = decode(289, TIME + bytes([32]) + struct.pack(">2H", 34000, 26000) + octets)
    assert batch.columns["FIELD_A"][0].tolist() == counts[:96].reshape(32, 3).tolist()
    assert batch.columns["FIELD_B"][0].tolist() == counts[96:].reshape(32, 3).tolist()
    assert values(batch, "SAMPLE_RATE", "TEMPERATURE_A", "TEMPERATURE_B") == pytest.approx([32, 20.0, -20.0])


def test_weather_counts_come_raw(decode):
    counts = np.arange(61) * 1000
    batch = decode(305, TIME + counts.astype(">u2").tobytes())
    assert values(batch, "PRESSURE_SENSOR_THERMISTOR") == [0]
    assert batch.columns["AIR_PRT"][0].tolist() == counts[1:11].tolist()
    assert batch.columns["PRESSURE_VOLTAGE"][0].tolist() == counts[11:21].tolist()
    assert batch.columns["WIND_POWER"][0].tolist() == counts[21:].reshape(10, 4).tolist()


def test_libs_spectrum_follows_three_spare_bytes(decode):
    spectrum = np.arange(5400, dtype=">u2")
    head = struct.pack(">HBBHIHH", 300, 1, 9, 28000, 2_000_000, 2345, 5400)
    batch = decode(321, TIME + head + bytes(3) + spectrum.tobytes())
    names = ("POINT_ID", "KIND", "SHOT", "DETECTOR_TEMPERATURE", "EXPOSURE", "DISTANCE", "CHANNEL_COUNT")
    assert values(batch, *names) == [300, "LASER", 9, pytest.approx(-10.0), 2_000_000, 2345, 5400]
    assert np.array_equal(batch.columns["SPECTRUM"][0], spectrum)


def test_swir_settings_and_spectrum(decode):
    spectrum = (np.arange(321) * 200).astype(">u2")
    head = struct.pack(">HBBHIIH", 4, 2, 8, 34000, 50_000, 170_000, 343)
    batch = decode(337, TIME + head + spectrum.tobytes())
    names = ("POINT_ID", "KIND", "GAIN", "AOTF_TEMPERATURE", "EXPOSURE", "RF_START", "RF_STEP")
    assert values(batch, *names) == [4, "TARGET", 8, pytest.approx(20.0), 50_000, 170_000, 343]
    assert np.array_equal(batch.columns["SPECTRUM"][0], spectrum)


@pytest.mark.parametrize(
    ("apid", "length_bytes"), [(257, 51), (258, 71), (259, 10), (289, 587), (305, 128), (321, 10823), (337, 664)]
)
def test_each_decoded_container_is_read_by_its_instrument(decode, suite, apid, length_bytes):
    one = suite()
    made = [
        *one.make_products([decode(apid, TIME + bytes([1] * (length_bytes - 6)), TIME + bytes(length_bytes - 6))])
    ]
    made += one.flush()
    assert "telemetry" not in {product.instrument for product in made}


def blob(batch, name):
    column = batch.columns[name]
    return column.values[column.start[0] : column.start[0] + column.length[0]].tobytes()


def test_a_stripe_of_an_image_has_the_columns_of_the_page(decode):
    head = (
        struct.pack(">HHBBB", 1201, 31, 0x0A, 2, 6) + struct.pack(">8H", 64, 32, 192, 180, 256, 512, 2059, 0)[:12]
    )
    head += (
        bytes([8, 3]) + struct.pack(">HIH", 812, 4000, 28000) + struct.pack(">6h", -15800, 120, -50, 2400, -3200, 1)
    )
    head += bytes([1, 0, 1, 4]) + struct.pack(">HBBH", 7, 0, 0, 3)
    batch = decode(354, TIME + head + b"abc")
    assert len(TIME + head) == 57
    names = ("IMAGE_ID", "SEQUENCE_ID", "CAMERA", "STRIPE", "N_STRIPES", "FIRST_LINE", "N_LINES", "IMAGE_LINES")
    assert values(batch, *names) == [1201, 31, 10, 2, 6, 64, 32, 192]
    names = ("IMAGE_SAMPLES", "WINDOW_LINE", "WINDOW_SAMPLE", "BINNING", "COMPRESS_MODE", "EXPOSURE", "IMAGE_MODE")
    assert values(batch, *names) == [180, 256, 512, 8, "LOSSY", 4000, "PANORAMA"]
    names = ("COMPRESS_RATIO", "DETECTOR_TEMPERATURE", "ROVER_YAW", "MAST_YAW", "MAST_PITCH", "FRAME_COUNT")
    assert values(batch, *names) == pytest.approx([8.12, -10.0, -158.0, 24.0, -32.0, 7])
    assert blob(batch, "STRIPE_DATA") == b"abc"


@pytest.mark.parametrize(("entity", "container"), [(33, "MORIC_PDU"), (34, "HIRIC_PDU")])
def test_a_pdu_is_known_by_the_entity_that_sent_it(decode, entity, container):
    batch = decode(1340, bytes([0x34, 0, 6, 0x01, entity, 0x10, 0x92, 1]) + b"\x00\x00\x03\xc0ab")
    assert batch.container == container
    names = (
        "PDU_TYPE",
        "CRC_FLAG",
        "LARGE_FILE",
        "ENTITY_LENGTH",
        "NUMBER_LENGTH",
        "TRANSACTION",
        "DESTINATION_ENTITY",
    )
    assert values(batch, *names) == [1, 0, 0, 0, 1, 4242, 1]
    assert blob(batch, "PDU_DATA") == b"\x00\x00\x03\xc0ab"

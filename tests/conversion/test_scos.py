"""SCOS-2000 tables: no open tool reads them, so the truth is worked out by hand from the interface document."""

import pytest
from downlink_pipeline.conversion.formats import detect, read_definition, write_definition
from downlink_pipeline.conversion.packets import batch_of, make_packets
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError

TABLES = {
    "vdf": "MISSION\tdemo\t\t1\t1",
    "pid": "3\t25\t100\t1\t0\t1001\tHousekeeping one\t\t-1\t10\tY\t\tY\n"
           "3\t25\t100\t2\t0\t1002\tHousekeeping two\t\t-1\t10\tY\t\tY\n"
           "5\t1\t100\t0\t0\t1003\tEvent\t\t-1\t10\tY\t\tY\n"
           "0\t0\t7\t0\t0\t1004\tTime packet\t\t-1\t0\tY\t\tY\n"
           "3\t26\t100\t0\t0\t1005\tVariable\t\t12\t10\tY\t\tY",
    "pic": "3\t25\t16\t8\t-1\t0",
    "tpcf": "1001\tHK1\t40\n1002\tHK2\t40",
    "pcf": "\n".join([
        "NTEMP\tTemperature\t\tdegC\t3\t12\t\t\t\tN\tR\tC1",
        "NCURVE\tCurve\t\tV\t3\t4\t\t\t\tN\tR\tC2",
        "NLOG\tThermistor\t\tK\t3\t4\t\t\t\tN\tR\tC3",
        "NMODE\tMode\t\t\t2\t3\t\t\t\tS\tR\tT1",
        "NBIT\tSwitch\t\t\t1\t0\t\t\t\tN\tR\t",
        "NSIGNED\tSigned\t\t\t4\t0\t\t\t\tN\tR\t",
        "NFLOAT\tReal\t\tA\t5\t1\t\tNBIT\t\tN\tR\t\t\t\t\t\t\t1",
        "NCUC\tTime\t\t\t9\t17",
        "NCDS\tTime\t\t\t9\t2",
        "NTEXT\tText\t\t\t8\t4\t\t\t\tT\tR",
        "NARR\tSamples\t\t\t3\t12\t\t\t\tN\tR",
        "NLITTLE\tLittle\t\t\t3\t14\t\t\t\tN\tR" + "\t" * 12 + "L",
        "NSYN\tSynthetic\t\t\t5\t1\t\t\t\tN\tD",
        "NDED\tDeduced\t\t\t11\t0\t\t\t\tN\tR",
    ]),
    "plf": "\n".join([  # noqa: FLY002
        "NTEMP\t1001\t17\t0\t1", "NCURVE\t1001\t19\t0\t1", "NLOG\t1001\t20\t0\t1", "NMODE\t1001\t21\t0\t1",
        "NBIT\t1001\t21\t3\t1", "NSIGNED\t1001\t21\t4\t1", "NFLOAT\t1001\t22\t0\t1", "NTEXT\t1001\t26\t0\t1",
        "NARR\t1002\t17\t0\t3\t24", "NLITTLE\t1002\t26\t0\t1", "NTEMP\t1003\t16\t0\t1", "NCUC\t1003\t18\t0\t1",
        "NCDS\t1004\t6\t0\t1", "NGONE\t1003\t40\t0\t1",
    ]),
    "mcf": "C1\tline\t-5\t0.5\t0\t0\t0",
    "caf": "C2\tcurve\tR\tU\tH\tV\t3\tP", "cap": "C2\t0\t0\nC2\t10\t1.6\nC2\tFF\t20",
    "lgf": "C3\tthermistor\t0.5\t0.25\t0\t0\t0",
    "txf": "T1\tmodes\tU\t2", "txp": "T1\t0\t1\tOFF\nT1\t2\t2\tON",
    "ocf": "NTEMP\t2\t3\tC\tR\nNMODE\t1\t1\tC\tA",
    "ocp": "NTEMP\t1\tS\t-10\t40\t\t\nNTEMP\t2\tH\t-20\t60\t\t\n"
           "NTEMP\t3\tS\t0\t10\tNBIT\t1\nNMODE\t1\tC\tON\t\t\t\nNTEMP\t4\tD\t1\t2",
}  # fmt: skip


@pytest.fixture
def mib(tmp_path):
    folder = tmp_path / "ASCII"
    folder.mkdir()
    for name, text in TABLES.items():
        (folder / f"{name}.dat").write_text(text + "\n")
    return folder


@pytest.fixture
def carried(mib):
    converted = read_definition([mib])
    document, losses = write_definition(converted, "xtce", str(mib))
    return read_xtce(document), losses


def pus(apid, service, subtype, body):
    """A packet with a data field header of 10 octets: flags, type, subtype, and 7 more (ECSS-E-70-41A 5.4.3)."""
    whole = bytes([0x10, service, subtype]) + bytes(7) + body
    return (0x0800 | apid).to_bytes(2, "big") + b"\xc0\0" + (len(whole) - 1).to_bytes(2, "big") + whole


def rows(dictionary, *packets):
    found = [None] * len(packets)
    for batch in Decoder(compile_plan(dictionary)).decode(batch_of(list(packets))):
        for row, place in enumerate(batch.order.tolist()):
            found[place] = batch.container, {name: column[row].tolist() for name, column in batch.columns.items()}
    return found


def test_the_folder_of_tables_is_known(mib):
    assert detect(mib) == "scos"
    assert detect(mib / "pcf.dat") == "scos"


def test_each_value_is_that_of_the_tables(carried):
    # PI1 1; 100 counts; hex 88; 1; mode 2, switch 1, signed -3; 1.5; "ab"
    body = bytes.fromhex("01 0064 88 01") + bytes([0b01011101]) + bytes.fromhex("3fc00000 61620000")
    ((name, values),) = rows(carried[0], pus(100, 3, 25, body))
    assert name == "HK1"
    assert values["NTEMP"] == -5 + 0.5 * 100
    assert values["NCURVE"] == pytest.approx(1.6 + (0x88 - 0x10) / (0xFF - 0x10) * (20 - 1.6))
    assert values["NLOG"] == 1 / 0.5  # the logarithm of 1 is 0
    assert (values["NMODE"], values["NBIT"], values["NSIGNED"]) == ("ON", True, -3)
    assert (values["NFLOAT"], values["NTEXT"]) == (1.5, "ab")


def test_occurrences_are_counted_from_start_to_start(carried):
    body = bytes.fromhex("02 0001 ff 0002 ff 0003 ff 04030201")
    ((name, values),) = rows(carried[0], pus(100, 3, 25, body))
    assert (name, values["NARR"], values["NLITTLE"]) == ("HK2", [1, 2, 3], 0x01020304)


def test_times_are_ccsds_codes(carried):
    event = pus(100, 5, 1, bytes.fromhex("0064 00000010 8000"))  # CUC: 16.5 s after 1958
    time = bytes.fromhex("0007 c000 0007 0001 000003e8 0007")  # CDS: a day, a second and 7 microseconds after 1958
    (name, values), (other, times) = rows(carried[0], event, time)
    epoch = -378_691_200 * 10**9
    assert (name, values["NCUC"]) == ("SPID_1003", epoch + 16_500_000_000)
    assert (other, times["NCDS"]) == ("SPID_1004", epoch + 86_401_000_007_000)


def test_limits_labels_and_validity_are_carried(carried):
    parameters = carried[0].parameters
    limits = parameters["NTEMP"].type.limits
    assert {level: (where.low, where.high) for level, where, _ in limits.alarm.bands} == {
        2: (-10, 40),
        4: (-20, 60),
    }
    ((condition, alarm),) = limits.contexts
    assert (condition.left.parameter, condition.right, alarm.bands[0][1].high) == ("NBIT", "1", 10)
    assert (limits.alarm.violations, parameters["NTEMP"].type.unit) == (2, "degC")
    assert parameters["NMODE"].type.labels == ((0, 1, "OFF"), (2, 2, "ON"))
    assert parameters["NMODE"].type.limits.alarm.default == 4
    assert parameters["NFLOAT"].validity.left.parameter == "NBIT"


def test_what_is_lost_is_listed_with_its_line(carried, mib):
    told = {(loss.kind, loss.name, loss.file.removeprefix(f"{mib}/"), loss.line) for loss in carried[1]}
    assert told == {
        ("pcf", "NCUC", "pcf.dat", 8),
        ("pcf", "NCDS", "pcf.dat", 9),
        ("pcf", "NSYN", "pcf.dat", 13),
        ("pcf", "NDED", "pcf.dat", 14),
        ("pid", "1005", "pid.dat", 5),
        ("plf", "NGONE", "plf.dat", 14),
        ("ocp", "NTEMP", "ocp.dat", 5),
    }


def test_every_packet_that_is_made_finds_its_container(carried):
    made = make_packets(carried[0], compile_plan(carried[0]), 400, 3)
    assert made.missing == ()
    assert set(made.containers) == {"HK1", "HK2", "SPID_1003", "SPID_1004"}


def test_a_missing_table_and_a_cell_that_is_no_number_are_errors(mib):
    (mib / "plf.dat").write_text("NTEMP\t1001\tx\t0\t1\n")
    with pytest.raises(ConfigError, match="invalid literal"):
        read_definition([mib])
    (mib / "plf.dat").unlink()
    with pytest.raises(ConfigError, match="table plf is missing"):
        read_definition([mib])

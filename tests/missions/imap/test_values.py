"""Every value of the files to which the mission's own team holds its decoder."""

import csv

import numpy as np
import pytest
from downlink_pipeline.api import load_mission, open_pass
from downlink_pipeline.testing import differences


def table(path):
    """A CSV file as columns of text."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


def integers(column):
    return [int(each) for each in column]


@pytest.fixture(scope="module")
def packets(imap_data):
    return lambda name: open_pass(imap_data / f"{name}.packets", mission="imap")


# names of the file where they are others than those of the dictionary
MAG_L0 = {"PHAPID": "PKT_APID", "PHSEQCNT": "SRC_SEQ_CTR", "PHDLEN": "PKT_LEN", "FOB_ACT": "MAGO_ACT"}
MAG_L0 |= {"FIB_ACT": "MAGI_ACT"}
SWAPI_SCIENCE = {"PLAN_ID": "PLAN_ID_SCIENCE", "SPARE_2": "SPARE_2_SCIENCE"}
SWAPI_HOUSEKEEPING = {"PLAN_ID": "PLAN_ID_HK", "SPARE_2": "SPARE_2_HK", "ESA_GATE_SET": "SPARE_4"}
SWAPI_HOUSEKEEPING |= {"CHKSUM": "PACKET_CHKSUM"}
HIT_HEADER = {"VERSION": "CCSDS_VERSION", "TYPE": "CCSDS_TYPE", "SEC_HDR_FLG": "CCSDS_SEC_HDR_FLAG"}
HIT_HEADER |= {"PKT_APID": "CCSDS_APPID", "SEQ_FLGS": "CCSDS_GRP_FLAG", "SRC_SEQ_CTR": "CCSDS_SEQ_CNT"}
HIT_HEADER |= {"PKT_LEN": "CCSDS_LENGTH", "HIT_HSKP.SC_TICK": "SHCOARSE"}
HIT = {theirs: ours for ours, theirs in HIT_HEADER.items()}


def test_each_value_of_mags_packets_is_that_of_the_file(packets, imap_data):
    expected = table(imap_data / "mag_l0.csv")
    whole = expected.pop("CCSDS_HEX")
    found = packets("mag_l0")
    parts = [found.to_columns(f"P_MAG_SCI_{mode}", raw=True) for mode in ("BURST", "NORM")]
    columns = {name: np.concatenate([np.asarray(part.raw[name]) for part in parts]) for name in parts[0].raw
               if name != "VECTORS"}  # fmt: skip
    for rate in ("PRI_VECSEC", "SEC_VECSEC"):
        columns[rate] = 1 << columns[rate].astype(int)
    for name, values in expected.items():
        assert columns[MAG_L0.get(name, name)].tolist() == integers(values), name
    sent = [batch.data[s : s + n].tobytes().hex().upper() for batch in found.packets()
            for s, n in zip(batch.start.tolist(), batch.length.tolist(), strict=True)]  # fmt: skip
    assert all(
        each in {text, f"{text}00"} for each, text in zip(sent, whole, strict=True)
    )  # the file has no fill byte


def test_the_rows_of_packets_have_the_same_values(packets, imap_data):
    expected = table(imap_data / "mag_l0.csv")
    names = {"SHCOARSE": "met_s", "PUS_STYPE": "service_type", "PUS_SSUBTYPE": "service_subtype"}
    names |= {"COMPRESSION": "compression", "PRI_SENS": "primary_sensor", "PRI_VECSEC": "primary_rate_hz"}
    names |= {"SEC_VECSEC": "secondary_rate_hz", "PRI_COARSETM": "primary_coarse_s", "PRI_FNTM": "primary_fine"}
    names |= {"SEC_COARSETM": "secondary_coarse_s", "SEC_FNTM": "secondary_fine", "PHSEQCNT": "sequence_count"}
    parts = [packets("mag_l0").product(f"mag/{mode}_packets") for mode in ("burst", "norm")]
    for theirs, ours in names.items():
        values = np.concatenate([part[ours].values for part in parts])
        assert values.tolist() == integers(expected[theirs]), theirs


@pytest.mark.parametrize(("sensor", "part"), [("mago", "pri"), ("magi", "sec")])
def test_each_vector_of_both_sensors_is_that_of_the_file(packets, imap_data, sensor, part):
    expected = table(imap_data / "mag_l1a.csv")
    made = packets("mag_l1").product(f"mag/norm_{sensor}")
    order = np.lexsort(
        (made["time_onboard_ns"].values, made["sequence_count"].values)
    )  # the first packet is of later
    for axis, name in enumerate("xyz"):
        assert made["field_counts"].values[order, axis].tolist() == integers(expected[f"{name}_{part}"]), name
    names = {"sequence_count": "sequence", "range_index": f"rng_{part}"}
    names |= {"packet_coarse_s": f"{part}_coarse", "packet_fine": f"{part}_fine"}
    for ours, theirs in names.items():
        assert made[ours].values[order].tolist() == integers(expected[theirs]), theirs
    first = np.flatnonzero(np.diff(made["sequence_count"].values[order], prepend=-1))
    coarse, fine = (np.array(integers(expected[f"{part}_{which}"]))[first] for which in ("coarse", "fine"))
    times = made["time_onboard_ns"].values[order]
    assert times[first].tolist() == [
        int(c) * 10**9 + int(f) * 10**9 // 65535 for c, f in zip(coarse, fine, strict=True)
    ]
    assert set(np.diff(times)[np.diff(made["sequence_count"].values[order]) == 0]) == {500_000_000}  # two a second


def test_each_value_of_swapis_science_packets_is_that_of_the_file(packets, imap_data):
    expected = table(imap_data / "swapi_sci.csv")
    expected.pop("timestamp")  # of the test set's own clock
    columns = packets("swapi").to_columns("P_SWP_SCI", raw=True).raw
    for name, values in expected.items():
        assert np.asarray(columns[SWAPI_SCIENCE.get(name, name)]).tolist() == integers(values), name


def test_each_value_of_swapis_housekeeping_is_that_of_the_file(packets, imap_data):
    """The file has the bits of 12-bit numbers without their sign."""
    expected = table(imap_data / "swapi_hk.csv")
    expected.pop("timestamp")
    columns = packets("swapi").to_columns("P_SWP_HK_2024", raw=True).raw
    for name, values in expected.items():
        found = np.asarray(columns[SWAPI_HOUSEKEEPING.get(name, name)])
        found = found.astype(int) & 0xFFF if found.dtype.kind == "i" else found
        assert found.tolist() == integers(values), name


def test_each_value_of_hits_housekeeping_is_that_of_the_file(packets, imap_data):
    expected = table(imap_data / "hit_hk.csv")
    columns = packets("hit_hk").to_columns("HIT_HSKP_COUNTS", raw=True).raw
    for name, values in expected.items():
        found = np.asarray(columns[HIT.get(name, f"HIT_HSKP.{name}")])
        assert found[: len(values)].tolist() == integers(values), name  # the last packet is not in the file


def test_swapis_sweeps_are_the_counts_of_twelve_packets_each(packets, imap_data):
    expected = table(imap_data / "swapi_sci.csv")
    sweeps = packets("swapi").product("swapi/sweep")
    number, second = (np.array(integers(expected[name])) for name in ("SEQ_NUMBER", "SHCOARSE"))
    counts = {cem: np.array([integers(expected[f"{cem}_CNT{k}"]) for k in range(6)]).T for cem in ("PCEM", "COIN")}
    whole = sweeps["usable"].values
    begun = sweeps["time_onboard_ns"].values // 10**9
    assert whole.sum() == 12  # 153 packets: a part of a sweep, 12 sweeps, a part
    for row in np.flatnonzero(whole):
        mine = (second >= begun[row]) & (second < begun[row] + 12)
        assert number[mine].tolist() == list(range(12))
        assert sweeps["primary_counts"].values[row].tolist() == counts["PCEM"][mine].ravel().tolist()
        assert sweeps["coincidence_counts"].values[row].tolist() == counts["COIN"][mine].ravel().tolist()


def test_swapis_monitors_have_the_units_of_the_flight_dictionary(packets, imap_data):
    """Of the first packet: counts of the file, by the calibrators that the mission published in 2025."""
    expected = {
        name: int(values[0]) for name, values in table(imap_data / "swapi_hk.csv").items() if name != "timestamp"
    }
    made = packets("swapi").product("swapi/housekeeping")
    minus = expected["N5_V"] - 4096
    assert made["sensor_temperature_degc"].attrs["units"] == "degC"
    assert made["sensor_temperature_degc"].values[0] == pytest.approx(130.7272213247 - 0.2366468093699516 * 469)
    assert made["minus_5_v"].values[0] == pytest.approx(-5.25, abs=0.01)
    assert made["minus_5_v"].values[0] == pytest.approx(0.02738404057155375 + 0.003248249261192152 * minus)
    assert made["analyser_plus_5_v"].values[0] == pytest.approx(5.21, abs=0.01)
    assert made["analyser_v"].values[0] == pytest.approx(12292.97550071964 - 6.003582784775521 * expected["ESA_V"])


def test_hits_voltages_are_those_of_the_dictionarys_calibrators(packets, imap_data):
    expected = table(imap_data / "hit_hk.csv")
    made = packets("hit_hk").product("hit/housekeeping")
    order = np.argsort(made["time_onboard_ns"].values, kind="stable")
    minus_12 = -13.95 + 0.00468 * np.array(integers(expected["EBOX_M12VA"]))
    assert made["analogue_minus_12_v"].attrs["units"] == "V"
    assert made["analogue_minus_12_v"].values[order][:87] == pytest.approx(minus_12)
    assert made["chassis_counts"].values[order][:87].tolist() == integers(expected["ANALOG_TEMP"])
    assert made["leakage_v"].shape == (88, 64)


def test_times_are_utc_of_the_spacecrafts_clock(packets):
    """SHCOARSE 464,880,095 by NAIF's imap_sclk_0036.tsc: 66.184 s of TDT - UTC at count 0, 69.184 s in 2024."""
    first = packets("swapi").to_xarray("P_SWP_SCI")["time"].values[0]
    tdt = np.datetime64("2010-01-01T00:01:06.184") + np.timedelta64(464_880_095, "s")
    assert first == tdt - np.timedelta64(69_184, "ms")


def test_every_product_is_as_its_kind_declares_it(packets):
    """Names, types, axes, units and level."""
    kinds = load_mission("imap").kinds
    made = [one for name in ("mag_l0", "mag_l1", "swapi", "hit_hk") for one in packets(name).products()]
    ours = [one for one in made if one.instrument != "telemetry"]
    assert {f"{one.instrument}/{one.product}" for one in ours} == kinds.keys()
    assert [text for one in ours for text in differences(one, kinds[f"{one.instrument}/{one.product}"])] == []


@pytest.mark.parametrize(
    ("name", "dictionary", "counts"),
    [
        ("mag_l0", "mag", {"P_MAG_SCI_NORM": 17, "P_MAG_SCI_BURST": 19}),
        ("swapi", "swapi", {"P_SWP_SCI": 153, "P_SWP_HK": 17, "P_SWP_AUT": 153, "CCSDSPacket": 140}),
        ("hit_hk", "hit", {"HIT_HSKP": 88}),
    ],
)
def test_a_dictionary_alone_decodes_every_packet(name, dictionary, counts, imap_data, tmp_path):
    """Three tables of a mission file, and no package."""
    text = f'name = "x"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "{imap_data / dictionary}.xml"\n'
    (tmp_path / "mission.toml").write_text(text)
    assert open_pass(imap_data / f"{name}.packets", mission=str(tmp_path)).containers() == counts

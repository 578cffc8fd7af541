"""Radar tables in the genuine record layout, with labels that pds4_tools reads."""

import hashlib
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.archive import pds4_xml
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.missions.zhurong.gpr.archive_record import HIGH, LOW, MISSING, records
from downlink_pipeline.missions.zhurong.simulator import Faults, Scenario, simulate
from downlink_pipeline.model.errors import RunError
from of_zhurong import origin

EPOCH_NS = 1_451_577_600 * 10**9  # 2015-12-31T16:00:00Z
SIZES = {"HF": (16_453, 16_420), "LF": (12_069, 12_036)}


@pytest.fixture(scope="session")
def tables(folder):
    with sqlite3.connect(folder / "products.sqlite") as database:
        found = database.execute("select file from files where kind = 'pds4-table'").fetchall()
    database.close()
    return {("HF" if "HF" in name else "LF"): folder / name for (name,) in found}


@pytest.fixture(scope="session")
def genuine(real_data):
    files = sorted((real_data / "zhurong-roper").glob("*.2B"))
    if len(files) != 2:
        pytest.skip(f"no genuine radar products in {real_data}")
    return files


@pytest.fixture(scope="session", params=["clean", "damaged"])
def returned(request, genuine, write, tmp_path_factory):
    """Zhurong's own records through the simulated link and back; damage that Reed-Solomon corrects."""
    place = tmp_path_factory.mktemp("genuine")
    faults = (
        Faults() if request.param == "clean" else Faults(symbol_errors=12, symbol_error_share=0.5, noise_bytes=999)
    )
    simulate(place / "pass.cadu", Scenario(radar_files=tuple(genuine), faults=faults))
    return write([place / "pass.cadu"], file_format="pds4")


def ours(genuine):
    """Our name of a genuine table: another producer, and of a simulated pass."""
    return genuine.name.replace("_GRAS_", "_DOWNLINK_").replace("_SCI_", "_SIM_")


def test_a_record_has_the_size_of_the_archived_ones():
    assert (HIGH.record.itemsize, LOW.record.itemsize) == (16_453, 12_069)


@pytest.mark.parametrize("channel", ["HF", "LF"])
def test_the_label_describes_what_the_table_holds(channel, tables, read_label, rows):
    product = {"HF": "high_frequency", "LF": "low_frequency"}[channel]
    table = read_label(tables[channel])[0]
    science = np.array([mode != b"\xcc" for mode in table["Work_Mode"]])
    assert np.array_equal(np.asarray(table["Frame_Count"])[science], rows("gpr", product, "frame_count"))
    samples = [name for name in table.data.dtype.names if "Scientific" in name]
    real = rows("gpr", product, "real")
    assert np.array_equal(np.asarray(table[samples[0]])[science][:, : real.shape[1]], real)


@pytest.mark.parametrize("channel", ["HF", "LF"])
def test_records_are_in_the_order_of_their_times(channel, tables):
    octets = np.fromfile(tables[channel], np.uint8).reshape(-1, SIZES[channel][0])
    seconds = octets[:, 4:8].copy().view(">u4")[:, 0] * 1000.0 + octets[:, 8:10].copy().view(">u2")[:, 0]
    assert (np.diff(seconds) > 0).all()


def test_the_rover_is_where_the_record_has_it_from_where_its_frame_began(tables, read_label, bundled):
    """The truth of the simulator: in this pass the frame began at the site. X, Y, Z are east, north, up."""
    truth = np.load(bundled / "clean.cadu.truth.npz")
    for channel in ("HF", "LF"):
        table = read_label(tables[channel])[0]
        science = np.array([mode != b"\xcc" for mode in table["Work_Mode"]])
        place = np.stack([np.asarray(table[f"Rover_Location_{axis}"])[science] for axis in "XYZ"], axis=1)
        seconds = np.array([int.from_bytes(bytes(one)[:4], "big") for one in np.asarray(table["Time"])[science]])
        ms = np.array([int.from_bytes(bytes(one)[4:], "big") for one in np.asarray(table["Time"])[science]])
        utc_ns = EPOCH_NS + seconds * 10**9 + ms * 10**6
        for axis, column in enumerate((1, 0, 2)):
            ned = np.interp(utc_ns, truth["rover_time_utc_ns"], truth["rover_position_ned_m"][:, column])
            assert np.abs(place[:, axis] - (-ned if axis == 2 else ned)).max() < 0.05


def test_what_is_not_known_has_its_missing_constant(products, tmp_path, read_label):
    with product_files(tmp_path, origin("s", ("a",)), "pds4") as files:
        files.add([one for one in products if (one.instrument, one.product) == ("gpr", "high_frequency")][:1])
    (path,) = tmp_path.glob("*.2B")
    table = read_label(path)[0]
    assert set(np.asarray(table["Rover_Location_X"]).tolist()) == {MISSING}
    [special] = [
        field.meta_data["Special_Constants"]
        for field in table.fields
        if field.meta_data["name"] == "Rover_Location_X"
    ]
    assert float(special["missing_constant"]) == MISSING
    assert "not by GRAS" in path.with_name(f"{path.name}L").read_text()


def test_a_label_without_a_code_is_reported_in_one_line():
    arrays = {"work_mode": np.array(["DREAMING"]), "attitude_deg": np.zeros((1, 3))}
    with pytest.raises(RunError, match="work_mode 'DREAMING' has no code"):
        records(HIGH, {**arrays, "real": np.zeros((1, 2)), "imaginary": np.zeros((1, 2))}, np.zeros(1, np.uint32))


def test_a_number_that_the_dictionary_has_no_label_for_comes_back():
    arrays = {"polarization": np.array(["UNKNOWN_221"]), "attitude_deg": np.zeros((1, 3))}
    found = records(
        HIGH, {**arrays, "real": np.zeros((1, 2)), "imaginary": np.zeros((1, 2))}, np.zeros(1, np.uint32)
    )
    assert found["polarization"].tolist() == [221]


def test_zhurongs_own_records_come_back_byte_for_byte_in_all_that_came_from_the_rover(genuine, returned):
    for path, (record_bytes, rover_bytes) in zip(genuine, SIZES.values(), strict=True):
        sent = np.fromfile(path, np.uint8).reshape(-1, record_bytes)
        got = np.fromfile(returned / ours(path), np.uint8).reshape(-1, record_bytes)
        assert np.array_equal(got[:, :rover_bytes], sent[:, :rover_bytes])


def test_what_the_ground_adds_is_what_gras_added_where_it_can_be_known(genuine, returned):
    for path, (record_bytes, rover_bytes) in zip(genuine, SIZES.values(), strict=True):
        sent, got = (
            np.fromfile(one, np.uint8).reshape(-1, record_bytes)[:, rover_bytes:-1].copy().view("<f4").astype(float)
            for one in (path, returned / ours(path))
        )
        # GRAS adds less than 0.1 m to the record's own east and north, and 1.34 m to its up, from where is not known
        assert np.abs(got[:, :2] - sent[:, :2]).max() < 0.1
        assert np.ptp(got[:, 2] - sent[:, 2]) < 0.01
        turned = (got[:, 3:6] - sent[:, 3:6] + 180) % 360 - 180
        assert np.abs(turned).max() < 0.02
        assert np.abs(got[:, 6:8] - sent[:, 6:8]).max() < 0.02


def test_the_label_has_the_structure_of_the_genuine_one(genuine, returned, read_label):
    for path in genuine:
        sent, got = read_label(path)[0], read_label(returned / ours(path))[0]
        assert got.data.dtype == sent.data.dtype
        assert [field.meta_data["data_type"] for field in got.fields] == [
            field.meta_data["data_type"] for field in sent.fields
        ]
        assert got.meta_data["records"] == sent.meta_data["records"]


def test_the_label_has_the_times_of_the_genuine_one(genuine, returned):
    for path in genuine:
        sent, got = (one.with_name(f"{one.name}L").read_text() for one in (path, returned / ours(path)))
        for tag in ("start_date_time", "stop_date_time", "sequence_id", "longitude", "data_content"):
            start, stop = f"<{tag}", f"</{tag}>"
            assert got.split(start)[1].split(stop)[0] == sent.split(start)[1].split(stop)[0]
        assert abs(_lmst_s(got) - _lmst_s(sent)) < 3


def _lmst_s(label):
    text = label.split("<start_local_mean_solar_time>00011M")[1].split("<")[0]
    hours, minutes, seconds = map(float, text.split(":"))
    return (hours * 60 + minutes) * 60 + seconds


PDS4 = "http://pds.nasa.gov/pds4/pds/v1"
XSD = "http://www.w3.org/2001/XMLSchema"
SCHEMATRON = "{http://purl.oclc.org/dsdl/schematron}"


@pytest.fixture(scope="module")
def labels(folder):
    return sorted(path for path in folder.iterdir() if path.name.endswith("L"))


@pytest.fixture(scope="module")
def schemas(real_data):
    """The folder of schemas and rules of information model 1.12.0.0."""
    if not (real_data / "pds4" / "PDS4_PDS_1C00.xsd").is_file():
        pytest.skip("no PDS4 schemas here")
    return real_data / "pds4"


@pytest.fixture(scope="module")
def cartography(schemas, tmp_path_factory):
    """Its schema names places on the web, and one element of the geometry dictionary, which is not here."""
    folder = tmp_path_factory.mktemp("cart")
    (
        folder / "geom.xsd"
    ).write_text(f"""<xs:schema xmlns:xs="{XSD}" targetNamespace="{PDS4.replace("pds/v1", "geom/v1")}">
      <xs:element name="Coordinate_Space_Reference"/></xs:schema>""")
    text = (schemas / "PDS4_CART_1C00_1932.xsd").read_text()
    text = text.replace(
        "https://pds.nasa.gov/pds4/pds/v1/PDS4_PDS_1C00.xsd", (schemas / "PDS4_PDS_1C00.xsd").as_uri()
    )
    text = text.replace("https://pds.nasa.gov/pds4/geom/v1/PDS4_GEOM_1B10_1700.xsd", "geom.xsd")
    (folder / "cart.xsd").write_text(text)
    return folder / "cart.xsd"


@pytest.mark.parametrize("with_cartography", [True, False])
def test_every_label_is_valid_by_its_schemas(labels, schemas, cartography, with_cartography):
    etree = pytest.importorskip("lxml.etree")
    own = Path(pds4_xml.__file__).with_name("PDS4_DOWNLINK_1.xsd")
    places = {PDS4: schemas / "PDS4_PDS_1C00.xsd", "urn:downlink:mission-area:1": own}
    places |= {PDS4.replace("pds/v1", "cart/v1"): cartography} if with_cartography else {}
    imports = "".join(
        f'<xs:import namespace="{key}" schemaLocation="{path.as_uri()}"/>' for key, path in places.items()
    )
    schema = etree.XMLSchema(etree.fromstring(f'<xs:schema xmlns:xs="{XSD}">{imports}</xs:schema>'))
    wrong = {path.name: schema.error_log.last_error for path in labels if not schema.validate(etree.parse(path))}
    assert len(labels) > 20
    assert wrong == {}


@pytest.mark.parametrize(("rules_of", "at_least"), [("PDS4_PDS_1C00", 500), ("PDS4_CART_1C00_1932", 10)])
def test_every_label_keeps_the_rules_of_the_model(labels, schemas, rules_of, at_least):
    """Schematron with XPath 2: each assertion of each rule, on one label of each kind."""
    etree, elementpath = pytest.importorskip("lxml.etree"), pytest.importorskip("elementpath")
    rules = etree.parse(schemas / f"{rules_of}.sch").getroot()
    spaces = {one.get("prefix"): one.get("uri") for one in rules.iter(f"{SCHEMATRON}ns")}
    one_of_each = {
        path.name.split("_")[2].split("-")[0] + path.name[-3:] + "-PAN_" * ("-PAN_" in path.name): path
        for path in labels
    }
    wrong, n_checked = [], 0
    for path in one_of_each.values():
        label = etree.parse(path)
        for rule in rules.iter(f"{SCHEMATRON}rule"):
            paths = [one.strip() for one in rule.get("context").split("|")]
            where = " | ".join(one if one.startswith("/") else f"//{one}" for one in paths)
            for node in elementpath.select(label, where, namespaces=spaces):
                known = {}
                for let in rule.findall(f"{SCHEMATRON}let"):
                    known[let.get("name")] = elementpath.select(
                        label, let.get("value"), namespaces=spaces, item=node, variables=known
                    )
                for one in rule.findall(f"{SCHEMATRON}assert"):
                    n_checked += 1
                    test = f"boolean({one.get('test')})"
                    if not elementpath.select(label, test, namespaces=spaces, item=node, variables=known):
                        wrong.append((path.name, " ".join("".join(one.itertext()).split())))
    assert n_checked >= at_least
    assert wrong == []


def test_no_name_or_identifier_is_that_of_a_product_of_gras(labels):
    for path in labels:
        text = path.read_text()
        identifier = text.split("<logical_identifier>")[1].split("<")[0]
        assert identifier.startswith("urn:nasa:pds:downlink_zhurong_simulated:data_")
        assert "_GRAS_" not in path.name
        assert f"<product_id>{path.name[:-1]}</product_id>" in text


def test_a_label_says_that_it_is_simulated_and_what_is_assumed(labels):
    for path in labels:
        text = path.read_text()
        assert "<simulated>true</simulated>" in text
        assert "<comment>simulated: none of it was measured" in text
        assert "<basis>assumed" in text
    (radar,) = (path.read_text() for path in labels if "RoPeR-HF" in path.name)
    assert "<name>high_frequency</name>" in radar


def test_the_checksum_of_a_label_is_that_of_its_file(labels):
    for path in labels:
        content = path.with_name(path.name[:-1]).read_bytes()
        reported = path.read_text().split("<md5_checksum>")[1].split("<")[0]
        assert reported == hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_an_image_names_only_its_own_source_and_its_own_range(labels):
    ranges = {}
    for path in (one for one in labels if "MSCam-W" in one.name):
        text = path.read_text()
        assert text.split("<source_product_ids>")[1].split("<")[0].count("mscam-image") == 1
        filter_nm = float(text.split('<central_wavelength unit="nm">')[1].split("<")[0])
        width_nm = float(text.split('<full_width_half_max unit="nm">')[1].split("<")[0])
        ranges[filter_nm, width_nm] = re.findall("<wavelength_range>(.*)<", text)
    assert {nm for (nm, _), words in ranges.items() if words == ["Near Infrared"]} == {800, 900, 950, 1000}
    assert ranges[650, 500] == ["Visible", "Near Infrared"]  # panchromatic, 400 to 900 nm
    assert ranges[650, 20] == ["Visible"]

"""Packet descriptions as CSV."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.csv.reader import read_csv, read_csv_files
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError


@pytest.fixture
def decoded(batch, packet):
    def decode(text, *bodies):
        decoder = Decoder(compile_plan(read_csv(text.encode())))
        (found,) = decoder.decode(batch([packet(body, apid=7, seq_count=9) for body in bodies]))
        return found

    return decode


def test_each_row_is_a_field_behind_the_primary_header(decoded):
    found = decoded(
        "name,data_type,bit_length\nMODE,uint,3\nPAD,fill,5\nT,int,16\nV,float,32\nNAME,str,24\n",
        b"\xa0\xff\xfe\x3f\xc0\0\0abc",
    )
    assert found.columns["CCSDS_APID"].tolist() == [7]
    assert found.columns["CCSDS_SEQUENCE_COUNT"].tolist() == [9]
    assert found.columns["MODE"].tolist() == [5]
    assert found.columns["T"].tolist() == [-2]
    assert found.columns["V"].tolist() == [1.5]
    assert found.columns["NAME"].tolist() == ["abc"]


def test_a_bit_offset_counts_from_the_start_of_the_packet(decoded):
    found = decoded("name, data_type, bit_length, bit_offset\nB, uint, 8, 56\nA, uint, 8, 48\n", b"\1\2")
    assert (found.columns["A"].tolist(), found.columns["B"].tolist()) == ([1], [2])


def test_an_array_has_its_shape(decoded):
    found = decoded('name,data_type,bit_length,array_shape\nA,uint,8,"2,3"\n', bytes(range(6)))
    assert found.columns["A"].tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_an_array_may_be_sized_by_a_field(decoded):
    found = decoded(
        "name,data_type,bit_length,array_shape\nN,uint,8,\nA,uint,16,N\nB,uint,8,\n", b"\2\0\1\0\2\7", b"\0\x08"
    )
    assert found.columns["A"].values.tolist() == [1, 2]
    assert found.columns["A"].length.tolist() == [2, 0]
    assert found.columns["B"].tolist() == [7, 8]


def test_an_array_may_take_what_the_packet_holds(decoded):
    found = decoded("name,data_type,bit_length,array_shape\nA,uint,16,expand\nB,uint,8,\n", b"\0\1\0\2\7", b"\x08")
    assert found.columns["A"].length.tolist() == [2, 0]
    assert found.columns["A"].values.tolist() == [1, 2]
    assert found.columns["B"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name,bit_length\nA,8\n", 'packet.csv:1: column "data_type" is missing'),
        ("", "packet.csv: is empty"),
        ("\n \n", "packet.csv: is empty"),
        (
            "name,data_type,bit_length\nA,uint,99\n",
            'packet.csv:2: A: data_type "uint" of 99 bits is not implemented',
        ),
        ("name,data_type,bit_length\nA,uint,8\nA,uint,8\n", "packet.csv:3: A: is there twice"),
        ("name,data_type,bit_length\nA,uint,x\n", "packet.csv:2: A: bit_length"),
        ("name,data_type,bit_length,array_shape\nA,uint,8,M\n", "packet.csv:2: A: array_shape"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, problem):
    with pytest.raises(ConfigError) as caught:
        read_csv(text.encode())
    assert str(caught.value.problems[0]).startswith(problem)


SEVERAL = """name,data_type,bit_length,array_shape,apid,container
T,uint,8,,11,HEALTH
N,uint,8,,0x0C 13,SCIENCE
T,int,16,N,0x0C 13,SCIENCE
"""


def test_a_column_apid_makes_several_packet_types_of_one_file(batch, packet):
    decoder = Decoder(compile_plan(read_csv(SEVERAL.encode())))
    bodies = [(b"\7", 11), (b"\1\xff\xfe", 12), (b"\0", 13), (b"\5", 14), (b"\x08", 11)]
    health, science = decoder.decode(batch([packet(body, apid=apid) for body, apid in bodies]))
    assert (health.container, science.container) == ("HEALTH", "SCIENCE")
    assert health.columns["T"].tolist() == [7, 8]
    assert science.columns["T"].values.tolist() == [-2]
    assert science.columns["CCSDS_APID"].tolist() == [12, 13]
    assert decoder.set_aside == {"no container for APID 14": 1}


def test_several_files_have_their_apids_in_their_names(batch, packet):
    first = b"name,data_type,bit_length\nA,uint,8\n"
    documents = {"health_11.csv": first, "12.csv": first, "more.csv": SEVERAL.replace("11,", "20,").encode()}
    names = {"health_11.csv": "health_11", "12.csv": "12", "more.csv": "more"}
    with pytest.raises(ConfigError, match='APID 12 is that of "12" already'):
        read_csv_files(documents, names)
    documents["more.csv"] = SEVERAL.replace("11,", "20,").replace("0x0C", "21").encode()
    decoder = Decoder(compile_plan(read_csv_files(documents, names)))
    found = decoder.decode(batch([packet(b"\7\0\0", apid=apid) for apid in (11, 12, 13, 20, 21)]))
    assert [(each.container, len(each)) for each in found] == [("health", 1), ("12", 1), ("HEALTH", 1)]
    assert decoder.set_aside == {"too short for SCIENCE": 2}


def test_a_file_of_several_that_says_no_apid_is_an_error_by_name():
    with pytest.raises(ConfigError, match="nothing says whose packets these are"):
        read_csv_files({"a.csv": b"name,data_type,bit_length\nA,uint,8\n"}, {"a.csv": "a"})


@pytest.mark.parametrize(
    ("apid", "problem"), [("x", "is not a whole number"), ("2048", "not within 0 to 2047"), ("", "apid is missing")]
)
def test_an_apid_that_is_none_is_an_error_by_name(apid, problem):
    text = f"name,data_type,bit_length,apid\nA,uint,8,{apid}\nB,uint,8,5\n"
    with pytest.raises(ConfigError, match=problem):
        read_csv(text.encode())


def test_a_mission_may_name_a_folder_of_csv_files(tmp_path, batch, packet):
    (tmp_path / "packets").mkdir()
    for apid in (11, 12):
        (tmp_path / "packets" / f"kind_{apid}.csv").write_text(f"name,data_type,bit_length\nA{apid},uint,8\n")
    text = 'name = "x"\n[link]\nframing = "packets"\n[dictionary]\ncsv = "packets"\n'
    (tmp_path / "mission.toml").write_text(text)
    with pytest.raises(ConfigError, match='a second container "kind"'):
        load_mission(str(tmp_path))
    (tmp_path / "packets" / "kind_12.csv").rename(tmp_path / "packets" / "other_12.csv")
    decoder = Decoder(load_mission(str(tmp_path)).plan)
    found = decoder.decode(batch([packet(b"\7", apid=12), packet(b"\x08", apid=11)]))
    assert [list(each.columns)[-1] for each in found] == ["A11", "A12"]


def test_a_shape_may_stand_behind_the_type_as_ccsdspy_writes_it(decoded):
    found = decoded(
        'name, data_type, bit_length\nA, uint(4), 8\nB, "int(2, 3)", 8\nN, uint, 8\nC, uint(N), 16\nZ, uint, 8\n',
        bytes(range(4)) + bytes([255, 2, 3, 4, 5, 6]) + b"\2\0\5\0\6\7",
    )
    assert found.columns["A"].tolist() == [[0, 1, 2, 3]]
    assert found.columns["B"].tolist() == [[[-1, 2, 3], [4, 5, 6]]]
    assert found.columns["C"].values.tolist() == [5, 6]
    assert found.columns["Z"].tolist() == [7]


def test_what_expands_takes_what_the_fields_behind_leave_whatever_comes_before(decoded):
    found = decoded(
        "name,data_type,bit_length\nN,uint,8\nA,uint(N),8\nB,uint(expand),16\nC,uint,8\nD,uint(2),8\n",
        b"\2\x0a\x0b\0\1\0\2\7\x08\x09",
        b"\0\7\x08\x09",
    )
    assert [found.columns["A"].values[:2].tolist(), found.columns["A"].length.tolist()] == [[10, 11], [2, 0]]
    assert [found.columns["B"].values.tolist(), found.columns["B"].length.tolist()] == [[1, 2], [2, 0]]
    assert found.columns["C"].tolist() == [7, 7]
    assert found.columns["D"].tolist() == [[8, 9], [8, 9]]


@pytest.mark.parametrize(
    ("order", "octets"), [("big", "01020304"), ("little", "04030201"), ("3412", "03040102"), ("2143", "02010403")]
)
def test_bytes_come_in_the_order_that_the_table_says(decoded, order, octets):
    text = f"name,data_type,bit_length,byte_order\nA,uint,32,{order}\n"
    assert decoded(text, bytes.fromhex(octets)).columns["A"].tolist() == [0x01020304]


def test_columns_of_other_names_are_passed_over_with_a_notice():
    dictionary = read_csv(b"name,data_type,bit_length,calibration\nA,uint,8,x\n")
    assert [str(notice) for notice in dictionary.notices] == [
        'packet.csv:1: column "calibration" is not known, and passed over'
    ]

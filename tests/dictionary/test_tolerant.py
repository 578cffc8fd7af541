"""What files of the field have and no bit depends on is passed over with a notice, once for each kind."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.errors import ConfigError

XTCE_12 = "http://www.omg.org/spec/XTCE/20180204"


@pytest.fixture
def loaded(packet, batch):
    """The value of A in the one packet, and the notices."""

    def load(xtce):
        plan = compile_plan(read_xtce(xtce))
        (found,) = Decoder(plan).decode(batch([packet(b"\7")]))
        assert found.columns["A"].tolist() == [7]
        return [str(notice) for notice in plan.notices]

    return load


@pytest.mark.parametrize(
    "junk",
    [
        '<IntegerParameterType name="J"><IntegerDataEncoding encoding="ternary"/></IntegerParameterType>',
        '<ArrayParameterType name="J" arrayTypeRef="nowhere"/>',
        '<FloatParameterType name="J"><FloatDataEncoding sizeInBits="128"/></FloatParameterType>',
        '<EnumeratedParameterType name="J"><IntegerDataEncoding/></EnumeratedParameterType>',
        '<IntegerParameterType name="J" baseType="J"/>',
        '<AggregateParameterType name="J"/>',
        '<WeirdParameterType name="J"/>',
        "<Foo/>",
    ],
)
def test_a_type_that_no_packet_uses_does_no_harm(document, loaded, junk):
    (notice,) = loaded(document(junk, {"A": "U8"}))
    assert "telemetry.xml:12" in notice
    with pytest.raises(ConfigError):
        read_xtce(document(junk, {"A": "U8"}), strict=True)


def test_the_same_type_is_an_error_where_a_packet_uses_it(document):
    junk = '<IntegerParameterType name="J"><IntegerDataEncoding encoding="ternary"/></IntegerParameterType>'
    with pytest.raises(ConfigError, match='encoding="ternary" is not implemented'):
        read_xtce(document(junk, {"A": "J"}))


def test_a_kind_is_told_once_with_its_first_line_and_its_count(document, loaded):
    xtce = document("", {"A": "U8"}).replace(b"<IntegerDataEncoding ", b'<IntegerDataEncoding colour="red" ')
    (notice,) = loaded(xtce)
    assert notice.startswith("telemetry.xml:5: IntegerDataEncoding: attribute colour of IntegerDataEncoding")
    assert notice.endswith("(7 times, here the first)")


@pytest.mark.parametrize(
    "piece", ["<MessageSet/>", "<StreamSet/>", "<AlgorithmSet/>", "<ShortDescription>x</ShortDescription>"]
)
def test_what_describes_no_packet_is_passed_over(document, loaded, piece):
    xtce = document("", {"A": "U8"}).replace(b"</ContainerSet>", f"</ContainerSet>{piece}".encode())
    (notice,) = loaded(xtce)
    assert "passed over" in notice


def test_a_short_description_as_an_element_of_a_parameter_is_read_as_the_attribute(document, loaded):
    told = '<Parameter name="A"'
    xtce = document("", {"A": "U8"}).decode()
    place = xtce.index(told)
    end = xtce.index("/>", place)
    xtce = f"{xtce[:end]}><ShortDescription>of the wing</ShortDescription></Parameter>{xtce[end + 2 :]}"
    (notice,) = loaded(xtce.encode())
    assert "read as its attribute" in notice
    assert read_xtce(xtce.encode()).parameters["A"].description == "of the wing"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'xmlns="{XTCE_12}"', f'xmlns="{XTCE_12}/SpaceSystem.xsd"'),
        (f'xmlns="{XTCE_12}"', 'xmlns="https://www.omg.org/spec/XTCE/20180204"'),
    ],
)
def test_the_location_of_the_schema_is_read_as_its_namespace(document, loaded, old, new):
    (notice,) = loaded(document("", {"A": "U8"}).replace(old.encode(), new.encode()))
    assert "none of XTCE, and read as one" in notice


def test_prefixes_may_be_mixed(document, loaded):
    xtce = document("", {"A": "U8"}).decode()
    xtce = xtce.replace("<SpaceSystem ", f'<SpaceSystem xmlns:x="{XTCE_12}" ')
    xtce = xtce.replace("ContainerSet>", "x:ContainerSet>").replace("<ParameterSet>", "<x:ParameterSet>")
    assert loaded(xtce.replace("</ParameterSet>", "</x:ParameterSet>").encode()) == []


@pytest.mark.parametrize(
    ("encoding", "octets", "expected"),
    [
        ('<IntegerDataEncoding sizeInBits="8" encoding="signed"/>', b"\xff", -1),
        ('<FloatDataEncoding sizeInBits="32" encoding="IEEE-754"/>', b"\x3f\xc0\0\0", 1.5),
        ('<FloatDataEncoding sizeInBits="32" encoding="MIL-1750A"/>', b"\x40\0\0\1", 1.0),
        ('<FloatDataEncoding sizeInBits="32" encoding="IEEE754-1985"/>', b"\x3f\xc0\0\0", 1.5),
    ],
)
def test_other_spellings_of_an_encoding_are_read_as_they_are_meant(column, encoding, octets, expected):
    assert column(
        f'<FloatParameterType name="T" signed="true">{encoding}</FloatParameterType>', [octets]
    ).tolist() == [expected]


def test_a_container_that_is_its_own_base_is_told_what_to_do(document):
    itself = b'<SequenceContainer name="HEADER" abstract="true"><BaseContainer containerRef="HEADER"/>'
    xtce = document("", {"A": "U8"}).replace(b'<SequenceContainer name="HEADER" abstract="true">', itself)
    with pytest.raises(ConfigError, match="is its own base: take its BaseContainer out"):
        read_xtce(xtce)


def test_names_of_any_characters_are_found_wherever_they_are_referred_to(document, packet, decode):
    more = """<SequenceContainer name="C H[2].x"><EntryList><ParameterRefEntry parameterRef="A/B"/></EntryList>
    <BaseContainer containerRef="PACKET"><RestrictionCriteria><Comparison parameterRef="HK.K" value="1"/>
    </RestrictionCriteria></BaseContainer></SequenceContainer>"""
    xtce = document("", {"HK.K": "U8", "A/B": "U8"}, '<ParameterRefEntry parameterRef="HK.K"/>', more)
    base, child = decode(xtce, [packet(b"\1\7"), packet(b"\2")])
    assert (child.container, child.columns["A/B"].tolist()) == ("C H[2].x", [7])
    assert base.columns["HK.K"].tolist() == [2]


def test_of_two_labels_for_one_value_the_last_one_counts(document, packet, batch):
    kind = """<EnumeratedParameterType name="T"><IntegerDataEncoding/><EnumerationList>
    <Enumeration value="1" label="OFF"/><Enumeration value="2" label="ON"/><Enumeration value="1" label="STANDBY"/>
    </EnumerationList></EnumeratedParameterType>"""
    plan = compile_plan(read_xtce(document(kind, {"X": "T"})))
    (found,) = Decoder(plan).decode(batch([packet(b"\1"), packet(b"\2")]))
    assert found.columns["X"].tolist() == ["STANDBY", "ON"]
    assert ["two labels" in str(notice) for notice in plan.notices] == [True]


def test_an_integer_that_is_sent_as_a_float_is_that_float(document, packet, batch):
    kind = '<IntegerParameterType name="T"><FloatDataEncoding sizeInBits="32"/></IntegerParameterType>'
    plan = compile_plan(read_xtce(document(kind, {"X": "T"})))
    (found,) = Decoder(plan).decode(batch([packet(b"\x40\xf0\0\0")]))
    assert found.columns["X"].tolist() == [7.5]
    assert ["sent as a float" in str(notice) for notice in plan.notices] == [True]

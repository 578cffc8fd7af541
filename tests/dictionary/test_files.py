"""Dictionaries of many files: lists, folders, Yamcs' lists, and files that include others."""

import pytest
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.model.errors import ConfigError

XTCE = 'xmlns="http://www.omg.org/spec/XTCE/20180204"'
TYPES = f"""<SpaceSystem name="dt" {XTCE}><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="u8"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
<IntegerParameterType name="u48"><IntegerDataEncoding sizeInBits="48"/></IntegerParameterType>
</ParameterTypeSet></TelemetryMetaData></SpaceSystem>"""
PACKETS = """<SpaceSystem name="tm" {xtce}><TelemetryMetaData><ParameterSet>
<Parameter name="HEAD" parameterTypeRef="{types}/u48"/><Parameter name="A" parameterTypeRef="{types}/u8"/>
</ParameterSet><ContainerSet>
<SequenceContainer name="C"><EntryList><ParameterRefEntry parameterRef="HEAD"/>
<ParameterRefEntry parameterRef="A"/></EntryList></SequenceContainer>
</ContainerSet></TelemetryMetaData></SpaceSystem>"""
PACKET = bytes.fromhex("0001C0000000 07")


@pytest.fixture
def decoded(tmp_path):
    """A of the one packet, by a mission whose [dictionary] is as told."""

    def found(table, files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        mission = f'name = "t"\n[link]\nframing = "packets"\n[dictionary]\n{table}\n'
        (tmp_path / "mission.toml").write_text(mission)
        plan = load_mission(str(tmp_path)).plan
        packets = Receiver(load_mission(str(tmp_path)).link, []).receive(ByteBatch.of(PACKET)).packets
        (batch,) = Decoder(plan).decode(packets)
        return batch.columns["A"].tolist()

    return found


@pytest.mark.parametrize("types", ["/dt", "dt"])
@pytest.mark.parametrize("order", ['["dt.xml", "tm.xml"]', '["tm.xml", "dt.xml"]'])
def test_files_of_a_list_are_one_name_space_in_any_order(decoded, types, order):
    files = {"dt.xml": TYPES, "tm.xml": PACKETS.format(types=types, xtce=XTCE)}
    assert decoded(f"xtce = {order}", files) == [7]


def test_a_folder_is_all_its_files(decoded):
    files = {"xtce/b/dt.xml": TYPES, "xtce/tm.xml": PACKETS.format(types="/dt", xtce=XTCE)}
    assert decoded('xtce = "xtce"', files) == [7]


INSTANCE = """services: []
mdb:
  - type: xtce
    args:
      file: mdb/dt.xml
  - type: "org.yamcs.mdb.XtceLoader"
    spec: "mdb/tm.xml"
"""
NAMED = """mine:
  - type: xtce
    args:
      fileset: ["mdb/*.xml"]
"""
BELOW = """mine:
  - type: xtce
    spec: mdb/top.xml
    subLoaders:
      - type: xtce
        spec: mdb/dt.xml
      - type: xtce
        spec: mdb/tm.xml
"""


@pytest.mark.parametrize(("text", "types"), [(INSTANCE, "/dt"), (NAMED, "/dt"), (BELOW, "/top/dt")])
@pytest.mark.parametrize("place", ["mdb.yaml", "etc/mdb.yaml"])
def test_a_list_of_yamcs_is_read(decoded, text, types, place):
    files = {"mdb/dt.xml": TYPES, "mdb/tm.xml": PACKETS.format(types=types, xtce=XTCE), place: text}
    if "top" in text:
        files["mdb/top.xml"] = f'<SpaceSystem name="top" {XTCE}/>'
    assert decoded(f'xtce = "{place}"', files) == [7]


def test_a_list_with_another_loader_is_an_error_by_name(decoded):
    with pytest.raises(ConfigError, match='a loader of type "sheet"'):
        decoded('xtce = "mdb.yaml"', {"mdb.yaml": 'mdb: [{type: sheet, spec: "mdb/x.xls"}]'})


def test_a_file_may_include_others(decoded):
    main = f"""<SpaceSystem name="sat" {XTCE} xmlns:xi="http://www.w3.org/2001/XInclude">
    <xi:include href="parts/dt.xml"/><xi:include href="parts/tm.xml"/></SpaceSystem>"""
    files = {"main.xml": main, "parts/dt.xml": TYPES, "parts/tm.xml": PACKETS.format(types="dt", xtce=XTCE)}
    assert decoded('xtce = "main.xml"', files) == [7]


@pytest.mark.parametrize("reference", ["nowhere.xml", "/etc/passwd", "http://example.org/a.xml", ""])
def test_what_cannot_be_included_is_an_error(decoded, reference):
    main = f"""<SpaceSystem name="sat" {XTCE} xmlns:xi="http://www.w3.org/2001/XInclude">
    <xi:include href="{reference}"/></SpaceSystem>"""
    with pytest.raises(ConfigError, match="cannot be included"):
        decoded('xtce = "main.xml"', {"main.xml": main})


def test_a_problem_is_told_with_the_file_in_which_it_is(decoded):
    bad = PACKETS.format(types="/dt", xtce=XTCE).replace('parameterRef="A"', 'parameterRef="NONE"')
    with pytest.raises(ConfigError) as caught:
        decoded('xtce = ["dt.xml", "tm.xml"]', {"dt.xml": TYPES, "tm.xml": bad})
    (problem,) = caught.value.problems
    assert (problem.file.endswith("tm.xml"), problem.line) == (True, 5)


def test_a_problem_that_compiling_finds_is_told_with_its_file_too(decoded):
    count = '<Count><DynamicValue><ParameterInstanceRef parameterRef="A"/></DynamicValue></Count>'
    text = PACKETS.format(types="/dt", xtce=XTCE)
    text = text.replace(
        '"A"/></EntryList>', f'"A"><RepeatEntry>{count}</RepeatEntry></ParameterRefEntry></EntryList>'
    )
    with pytest.raises(ConfigError, match='"A", which has more than one value') as caught:
        decoded('xtce = ["dt.xml", "tm.xml"]', {"dt.xml": TYPES, "tm.xml": text})
    (problem,) = caught.value.problems
    assert (problem.file.endswith("tm.xml"), problem.line) == (True, 4)


def test_roots_may_be_several_and_be_named_by_path(decoded):
    files = {"dt.xml": TYPES, "tm.xml": PACKETS.format(types="/dt", xtce=XTCE)}
    assert decoded('xtce = ["dt.xml", "tm.xml"]\nroot = ["/tm/C"]', files) == [7]
    with pytest.raises(ConfigError, match='root "NOWHERE": there is no such container'):
        decoded('xtce = ["dt.xml", "tm.xml"]\nroot = ["C", "NOWHERE"]', files)


def test_a_size_before_a_text_counts_bits_where_the_mission_says_so(tmp_path, document, packet):
    kind = """<StringParameterType name="T"><StringDataEncoding><Variable maxSizeInBits="800">
    <LeadingSize sizeInBitsOfSizeTag="8"/></Variable></StringDataEncoding></StringParameterType>"""
    (tmp_path / "t.xml").write_bytes(document(kind, {"X": "T", "A": "U8"}))
    table = '[dictionary]\nxtce = "t.xml"\nleading_size = "bits"\n'
    (tmp_path / "mission.toml").write_text(f'name = "t"\n[link]\nframing = "packets"\n{table}')
    mission = load_mission(str(tmp_path))
    octets = packet(b"\x10ab\7")
    (batch,) = Decoder(mission.plan).decode(Receiver(mission.link, []).receive(ByteBatch.of(octets)).packets)
    assert (batch.columns["X"].tolist(), batch.columns["A"].tolist()) == (["ab"], [7])


NARROW = TYPES.replace(
    'name="u8"><IntegerDataEncoding sizeInBits="8"/>', 'name="u8"><IntegerDataEncoding sizeInBits="4"/>'
)


def test_a_dictionary_that_has_not_changed_is_not_compiled_again(decoded, tmp_path):
    decoded('xtce = ["dt.xml", "tm.xml"]', {"dt.xml": TYPES, "tm.xml": PACKETS.format(types="dt", xtce=XTCE)})
    assert load_mission(str(tmp_path)).plan is load_mission(str(tmp_path)).plan


def test_a_dictionary_that_has_changed_is_read_anew(decoded):
    files = {"dt.xml": TYPES, "tm.xml": PACKETS.format(types="dt", xtce=XTCE)}
    assert decoded('xtce = ["dt.xml", "tm.xml"]', files) == [7]
    assert decoded('xtce = ["dt.xml", "tm.xml"]', files | {"dt.xml": NARROW}) == [0]


def test_a_file_that_is_included_and_has_changed_is_read_anew(decoded):
    root = f"""<SpaceSystem name="r" {XTCE} xmlns:xi="http://www.w3.org/2001/XInclude">
    <xi:include href="parts/dt.xml"/><xi:include href="parts/tm.xml"/></SpaceSystem>"""
    files = {"r.xml": root, "parts/dt.xml": TYPES, "parts/tm.xml": PACKETS.format(types="/r/dt", xtce=XTCE)}
    assert decoded('xtce = "r.xml"', files) == [7]
    assert decoded('xtce = "r.xml"', files | {"parts/dt.xml": NARROW}) == [0]


def test_a_dictionary_that_was_read_is_read_anew_by_other_rules(decoded):
    odd = PACKETS.format(types="dt", xtce=XTCE).replace("<Parameter ", '<Parameter colour="red" ')
    files = {"dt.xml": TYPES, "tm.xml": odd}
    assert decoded('xtce = ["dt.xml", "tm.xml"]', files) == [7]
    with pytest.raises(ConfigError, match="colour"):
        decoded('xtce = ["dt.xml", "tm.xml"]\nstrict = true', files)
    assert decoded('xtce = ["dt.xml", "tm.xml"]', files) == [7]


APART = """<SpaceSystem name="tm" {xtce}><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="u8" shortDescription="in {name}"><IntegerDataEncoding sizeInBits="{bits}"/>
</IntegerParameterType><BinaryParameterType name="b48"><BinaryDataEncoding><SizeInBits><FixedValue>48</FixedValue>
</SizeInBits></BinaryDataEncoding></BinaryParameterType></ParameterTypeSet>
<ParameterSet><Parameter name="HEAD" parameterTypeRef="b48"/><Parameter name="{name}" parameterTypeRef="u8"/>
</ParameterSet><ContainerSet>
<SequenceContainer name="CCSDS" abstract="true"><EntryList><ParameterRefEntry parameterRef="HEAD"/></EntryList>
</SequenceContainer>
<SequenceContainer name="OF_{name}"><EntryList><ParameterRefEntry parameterRef="{name}"/></EntryList>
<BaseContainer containerRef="CCSDS"><RestrictionCriteria><Comparison parameterRef="HEAD" value="{head}"/>
</RestrictionCriteria></BaseContainer></SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"""


def test_files_of_one_system_may_repeat_what_they_share(decoded):
    """One file a packet, each with the packet header, as many teams have them."""
    files = {
        f"{name}.xml": APART.format(xtce=XTCE, name=name, bits=8, head=head)
        for name, head in (("A", "0001C0000000"), ("B", "0002C0000000"))
    }
    assert decoded('xtce = ["B.xml", "A.xml"]', files) == [7]


def test_files_of_one_system_that_disagree_are_refused(decoded):
    files = {
        f"{name}.xml": APART.format(xtce=XTCE, name=name, bits=bits, head="00")
        for name, bits in (("A", 8), ("B", 16))
    }
    with pytest.raises(ConfigError, match=r'a second parameter type "u8"; the first stands in .*A\.xml, line 2'):
        decoded('xtce = ["A.xml", "B.xml"]', files)


INSTRUMENT = """<SpaceSystem name="{name}" {xtce}><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="u16"><IntegerDataEncoding sizeInBits="16"/></IntegerParameterType></ParameterTypeSet>
<ParameterSet><Parameter name="ID" parameterTypeRef="u16"/><Parameter name="COUNT" parameterTypeRef="u16"/>
<Parameter name="LENGTH" parameterTypeRef="u16"/><Parameter name="{name}_X" parameterTypeRef="u16"/></ParameterSet>
<ContainerSet><SequenceContainer name="Packet"{abstract}><EntryList><ParameterRefEntry parameterRef="ID"/>
<ParameterRefEntry parameterRef="COUNT"/><ParameterRefEntry parameterRef="LENGTH"/></EntryList></SequenceContainer>
<SequenceContainer name="{name}_SCI"><EntryList><ParameterRefEntry parameterRef="{name}_X"/></EntryList>
<BaseContainer containerRef="Packet"><RestrictionCriteria><Comparison parameterRef="ID" value="{apid}"/>
</RestrictionCriteria></BaseContainer></SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"""


@pytest.fixture
def instruments(tmp_path):
    """Containers of packets of APID 1 to 4, by a folder of three files of which each repeats the packet header."""

    def found(more):
        for apid, (name, abstract) in enumerate((("A", ' abstract="true"'), ("B", ""), ("C", "")), 1):
            text = INSTRUMENT.format(name=name, xtce=XTCE, abstract=abstract, apid=apid)
            (tmp_path / f"{name}.xml").write_text(text)
        mission = f'name = "t"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "."\n{more}\n'
        (tmp_path / "mission.toml").write_text(mission)
        loaded = load_mission(str(tmp_path))
        packets = b"".join(apid.to_bytes(2, "big") + bytes.fromhex("C000 0001 0007") for apid in (1, 2, 3, 4))
        batches = Decoder(loaded.plan).decode(Receiver(loaded.link, []).receive(ByteBatch.of(packets)).packets)
        return {batch.container: batch.apid.tolist() for batch in batches}

    return found


@pytest.mark.parametrize("root", ["", 'root = "Packet"', 'root = ["A/Packet", "B/Packet", "C/Packet"]'])
def test_a_packet_that_is_nothing_but_a_header_of_several_files_has_the_name_of_the_header(instruments, root):
    assert instruments(root) == {"A_SCI": [1], "B_SCI": [2], "C_SCI": [3], "Packet": [4]}

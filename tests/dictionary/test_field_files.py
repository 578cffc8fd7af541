"""Dictionaries as missions and tools write them: each loads, and IMAP's values are those of the mission's own team."""

import csv
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import Source, read_sources, read_xtce
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import LinkSettings
from downlink_pipeline.model.batches import ByteBatch

NAMES = [
    "auto-yamcs-cfs",
    "auto-yamcs-cfs-ccsds",
    "booleans",
    "fprime-reference",
    "pymdb-ccsds",
    "pymdb-csp",
    "ref-xtce",
    "strings-tm",
    "yamcs-quickstart",
    "yaoki",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_field_loads(real_data, name):
    path = real_data / "xtce" / f"{name}.xml"
    compile_plan(read_xtce(path.read_bytes(), str(path)))


def test_a_mission_in_29_files_loads_in_any_order(real_data):
    paths = sorted((real_data / "xtce/peaksat").glob("*.xml"))
    assert len(paths) == 29
    containers = []
    for order in (paths, paths[::-1]):
        plan = compile_plan(read_sources([Source(path.read_bytes(), str(path)) for path in order]))
        containers.append({node.key for node in plan.walk()})
    assert containers[0] == containers[1]
    assert {"Housekeeping_OBC_1", "TM(17,2)_are_you_alive_connection_test_report"} <= containers[0]


def decoded(folder: Path, dictionary: str, packets: str):
    batch = Receiver(LinkSettings("packets"), []).receive(ByteBatch.of((folder / packets).read_bytes())).packets
    decoder = Decoder(compile_plan(read_xtce((folder / dictionary).read_bytes())), raw=True)
    return {each.container: each for each in decoder.decode(batch)}


def table(path: Path):
    with path.open() as file:
        lines = list(csv.DictReader(file))
    return {name: [line[name] for line in lines] for name in lines[0]}


@pytest.mark.parametrize(
    ("dictionary", "packets", "containers", "values", "count", "least"),
    [
        ("mag.xml", "mag_l0.packets", {"P_MAG_SCI_NORM", "P_MAG_SCI_BURST"}, "mag_l0.csv", "PHSEQCNT", 11),
        ("swapi.xml", "swapi.packets", {"P_SWP_HK"}, "swapi_hk.csv", "SRC_SEQ_CTR", 96),
        ("swapi.xml", "swapi.packets", {"P_SWP_SCI"}, "swapi_sci.csv", "SRC_SEQ_CTR", 49),
        ("hit.xml", "hit_hk.packets", {"HIT_HSKP"}, "hit_hk.csv", "CCSDS_SEQ_CNT", 111),
    ],
)
def test_values_of_imap_are_those_of_its_team(real_data, dictionary, packets, containers, values, count, least):
    found = [each for name, each in decoded(real_data / "imap", dictionary, packets).items() if name in containers]
    wanted = table(real_data / "imap" / values)
    keys = np.concatenate([each.apid.astype(np.int64) << 14 | each.seq_count for each in found])
    place = {key: row for row, key in enumerate(keys.tolist())}
    apids = wanted.get("PHAPID", [str(found[0].apid[0])] * len(wanted[count]))
    order = [place[int(apid) << 14 | int(n)] for apid, n in zip(apids, wanted[count], strict=True)]
    assert len(set(order)) == len(order) > 16
    compared = 0
    for name, column in wanted.items():
        # What HIT's team calls MODE is "HIT_HSKP.MODE" in its file. SWAPI's packets are longer than its dictionary
        # says: what ends them is not the check sum of the table.
        key = next((each for each in found[0].raw if each in {name, f"HIT_HSKP.{name}"}), None)
        if key is None or (dictionary, name) == ("swapi.xml", "CHKSUM"):
            continue
        got = np.concatenate([np.asarray(each.raw[key]).astype(np.int64) for each in found])[order].tolist()
        # The team's counts have no sign, and vectors a second are a power of two in the packet.
        got = [value % 4096 if value < 0 else value for value in got]
        got = [1 << value for value in got] if name.endswith("_VECSEC") else got
        assert got == [int(float(each)) for each in column], name
        compared += 1
    assert compared >= least

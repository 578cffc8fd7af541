"""`dictionary convert` on the command line: formats known by content, what is lost, and exit statuses."""

import json

import pytest
from downlink_pipeline.cli.main import cli
from downlink_pipeline.model.errors import ConfigError, DownlinkError
from test_ait import TEXT as AIT
from test_cosmos import NUMBERS
from test_fprime import WHOLE as FPRIME
from test_kaitai import OWN as KAITAI
from test_scos import TABLES as SCOS
from typer.testing import CliRunner

RUN = CliRunner()
SOURCES = {
    "cosmos": ("inst_tlm.txt", NUMBERS),
    "kaitai": ("own.ksy", KAITAI),
    "fprime": ("RefTopologyDictionary.json", json.dumps(FPRIME)),
    "ait": ("tlm.yaml", AIT),
}


@pytest.fixture
def convert(tmp_path):
    def run(name, text, *options, to="xtce"):
        path, out = tmp_path / name, tmp_path / f"out.{to}"
        if isinstance(text, bytes):
            path.write_bytes(text)
        elif isinstance(text, str):
            path.write_text(text)
        else:
            path.mkdir()
            for table, rows in text.items():
                (path / f"{table}.dat").write_text(rows + "\n")
        done = RUN.invoke(cli, ["dictionary", "convert", str(path), "--to", to, "--out", str(out), *options])
        return done, out

    return run


@pytest.mark.parametrize("source", SOURCES)
def test_each_format_is_known_by_its_content_and_the_result_loads(convert, source):
    done, out = convert(*SOURCES[source])
    assert done.exit_code == 0
    checked = RUN.invoke(cli, ["check", "--dictionary", str(out)])
    assert checked.exit_code == 0


def test_a_folder_of_tables_is_known(convert):
    done, out = convert("ASCII", SCOS)
    assert done.exit_code == 0
    assert RUN.invoke(cli, ["check", "--dictionary", str(out)]).exit_code == 0


def test_strict_ends_with_1_where_anything_is_lost_and_with_0_where_nothing_is(convert):
    done, _ = convert("tlm.txt", NUMBERS + "    FORMAT_STRING x\n", "--strict")
    assert done.exit_code == 1
    assert f"tlm.txt:{len(NUMBERS.splitlines()) + 1}: FORMAT_STRING" in done.stderr
    done, _ = convert("other.txt", NUMBERS, "--strict", "--overwrite")
    assert done.exit_code == 0


def test_a_format_that_is_named_overrides_what_the_content_says(convert):
    done, _ = convert("tlm.txt", NUMBERS, "--from", "kaitai")
    assert isinstance(done.exception, ConfigError)
    assert "no Kaitai definition" in str(done.exception)


def test_a_table_has_the_fields_and_lists_what_it_lacks(convert):
    done, out = convert("tlm.txt", NUMBERS, to="csv")
    assert done.exit_code == 0
    assert "1,NUMBERS,I16,int,16" in out.read_text()
    assert RUN.invoke(cli, ["check", "--dictionary", str(out)]).exit_code == 0


@pytest.mark.parametrize("source", ["cosmos", "kaitai", "fprime", "ait", "scos", "xtce", "csv"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\0\xff\xfe" * 50, b"{", b"[" * 3000, b"- - - : {", b"TELEMETRY\n", b"a: &a [*a]\n",
     b'{"telemetryChannels": 3}',
     b"meta: {id: 3}\nseq: [{id: x, type: x}]\ntypes: {x: {seq: [{id: x, type: x}]}}\n",
     b"meta: {id: x}\nseq: [{id: x, size: -5}, {id: y, type: u1, repeat: expr, repeat-expr: 99999999999}]\n",
     b"meta: {id: x}\nseq: [{id: x, type: u1}, {id: y, type: u1, if: '(x << 99999999999) ** 99999999 == 1'}]\n",
     b"- !Packet {name: x, fields: [!Field {name: y, type: U8, mask: 0, bytes: -4}]}\n",
     b"TELEMETRY A B BIG_ENDIAN\n APPEND_ARRAY_ITEM X 0 STRING 80\n APPEND_ITEM Y 0 BLOCK\n  VARIABLE_BIT_SIZE NO\n",
     b"TELEMETRY A B BIG_ENDIAN\n APPEND_ITEM X 99999999999 UINT\n ITEM Y -9999999999 3 INT\n APPEND_ITEM Z 8 UINT\n"],
)  # fmt: skip
def test_what_is_no_definition_is_one_line_and_never_a_traceback(convert, source, content):
    done, _ = convert("input", content, "--from", source)
    assert done.exception is None or isinstance(done.exception, DownlinkError | SystemExit)

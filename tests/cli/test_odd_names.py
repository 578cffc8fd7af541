"""File names of any bytes, and texts that would steer a terminal."""

import io
import os
import re
import sqlite3
import sys

import pytest
import structlog
from downlink_pipeline.cli.start import _log_to
from downlink_pipeline.commands.reprocess import Wanted, reprocess, tasks_of
from downlink_pipeline.model.printable import printable, printable_lines
from downlink_pipeline.system.terminal import console
from rich.table import Table
from rich.text import Text

STEERING = "\x1b]0;title\x07\x1b[2J\x9b31m\x7f\u202e\udcff"
CODES = r"\x1b]0;title\x07\x1b[2J\x9b31m\x7f\u202e\udcff"
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def test_each_steering_character_is_its_code_and_all_else_stays():
    assert printable(STEERING) == CODES
    assert printable("a\tb\n") == r"a\tb\n"
    assert printable_lines("a\tb\n") == "a\tb\n"
    assert printable("Größe 1 km²\u00a0± 火星") == "Größe 1 km²\u00a0± 火星"


def test_a_console_prints_codes_in_lines_tables_and_titles_and_keeps_its_own_colours():
    stream = io.StringIO()
    made = console(file=stream, force_terminal=True, color_system="standard", width=300)
    table = Table(title=STEERING)
    table.add_column(STEERING)
    table.add_row(STEERING)
    made.print(STEERING, table, Text("red", style="red"))
    text = stream.getvalue()
    own = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert FORBIDDEN.search(own) is None
    assert own.count(CODES.replace(r"\x07", "")) == 4  # rich drops the bell itself
    assert "\x1b[31mred" in text


@pytest.mark.parametrize("is_terminal", [True, False], ids=["for people", "as JSON"])
def test_the_log_has_codes_in_names_values_and_tracebacks(is_terminal):
    class Stream(io.StringIO):
        def isatty(self):
            return is_terminal

    stream = Stream()
    try:
        _log_to(stream)
        log = structlog.get_logger("test")
        log.error("refused", topic=STEERING, all=[STEERING, {STEERING: STEERING}], **{"pass": STEERING})
        try:
            int(STEERING)
        except ValueError:
            log.exception("broke")
    finally:
        structlog.reset_defaults()
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert FORBIDDEN.search(text) is None
    assert "title" in text


@pytest.mark.skipif(sys.platform == "darwin", reason="file names there are UTF-8")
def test_a_recording_whose_name_is_no_utf8_is_reprocessed_and_found_in_the_index(tmp_path, bundled):
    folder = tmp_path / os.fsdecode(b"in\xff")
    folder.mkdir()
    (folder / os.fsdecode(b"p\xfe.cadu")).write_bytes((bundled / "clean.cadu").read_bytes()[:200_000])
    wanted, done = Wanted(tmp_path, "zhurong", tmp_path / "out", "netcdf", pattern="*.cadu"), []
    reprocess(wanted, tasks_of(wanted), done.append)
    assert [(one.name, one.state) for one in done] == [("in~udcff/p~udcfe.cadu", "made")], done
    with sqlite3.connect(wanted.out / "products.sqlite") as index:
        (n,) = index.execute("select count(*) from files").fetchone()
    assert n > 0

r"""Escapes characters of text from outside that could control a terminal or hide text.

Such text comes from file names of recordings, dictionaries, brokers and stations. Control characters (C0, C1, DEL)
move cursors and change titles, bidirectional controls reorder text, surrogates (bytes of a file name that are no UTF-8)
cannot be encoded. Each is replaced by its code, such as \x1b. Used for the terminal, the log, the live page, and labels
of files.
"""

from __future__ import annotations

import re
from typing import Any

_STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_IN_LINES = re.compile(f"[{_STEERING}]")
_IN_A_LINE = re.compile(f"[{_STEERING}\t\n]")


def printable(text: str) -> str:
    """Escape a text for one line: line feeds and tabs, too."""
    return _IN_A_LINE.sub(_code, text)


def printable_lines(text: str) -> str:
    """Escape a text of several lines: line feeds and tabs are kept."""
    return _IN_LINES.sub(_code, text)


def printable_values(value: Any, depth: int = 4) -> Any:
    """Escape all texts of a log value, down to `depth` nested lists and maps."""
    if isinstance(value, str):
        return printable_lines(value)
    if depth and isinstance(value, dict):
        return {printable_values(key): printable_values(one, depth - 1) for key, one in value.items()}
    if depth and isinstance(value, list | tuple):
        return [printable_values(one, depth - 1) for one in value]
    return value


def _code(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")

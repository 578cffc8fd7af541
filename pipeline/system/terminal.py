"""Consoles that print untrusted text without control sequences (`model.printable`)."""

from __future__ import annotations

import io
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from ..model.printable import printable_lines


def console(**options: Any) -> Console:
    """A console without markup, on which control characters are shown as codes."""
    made = Console(highlight=False, markup=False, emoji=False, **options)
    made.push_render_hook(_Printable())
    return made


def write_traceback(stream: TextIO, error: Any) -> None:
    """Write a plain traceback without control characters (an `exception_formatter` of structlog)."""
    import structlog  # noqa: PLC0415 - only where a log is set up

    whole = io.StringIO()
    structlog.dev.plain_traceback(whole, error)
    stream.write(printable_lines(whole.getvalue()))


class _Printable(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Rendered(one) for one in renderables]


class _Rendered:
    """Renders another renderable with printable text; control segments of rich stay."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)

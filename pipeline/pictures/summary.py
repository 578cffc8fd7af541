"""Summary of a pass: one page (PNG and PDF), and a self-contained HTML report.

In: the report, the events and the series of a pass. Out: files, written atomically. They have no date of writing and no
random ids: the same pass gives the same files.
"""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.batches import NO_TIME, QUALITY_MEANINGS, Event, Quality, event_clock
from ..products.kinds import ProductKind
from ..system.files import whole_file
from . import link
from .generic import Panel, omission_note
from .page import page
from .panels import panels_of
from .series import Series
from .style import check_available, escape_dollars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_COLUMNS = 5
PAGE_INCHES = (16.5, 11.7)  # A3, landscape
MAX_PANELS = 30
MAX_NOTES, NOTE_WIDTH = 3, 220  # at the bottom of the page; characters of a line
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#20262d}
h1{margin-bottom:0}p.lead{margin-top:.2rem;color:#5b6770}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(30rem,1fr));gap:1rem}
figure{margin:0}img{width:100%}table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
td,th{padding:.15rem .8rem .15rem 0;text-align:left;border-bottom:1px solid #dfe3e8}td.n,th.n{text-align:right}
"""


@dataclass(frozen=True, slots=True)
class PassSummary:
    """Contents of a summary. `title`: mission and stream; `received`: first and last receive time, as text.

    `content`: digest of the recordings, or empty. `notes`: lines for the viewer. `kinds`: of the mission, by
    `instrument/product`, with their views.
    """

    title: str
    received: str
    report: Mapping[str, Any]
    events: Sequence[Event]
    series: Sequence[Series]
    content: str = ""
    notes: Sequence[str] = ()
    kinds: Mapping[str, ProductKind] = field(default_factory=dict)

    def panels(self) -> list[tuple[str, Callable[[Axes], None]]]:
        """Titles and functions of the panels, those of the link first."""
        return self._of_link() + [panel.of(one) for panel, one in self._of_products()]

    def all_notes(self) -> list[str]:
        """The notes, and those on arrays that are not drawn."""
        n_drawn: Counter[int] = Counter()
        for panel, series in self._of_products():
            n_drawn[id(series)] += len(panel.names)
        partly = (omission_note(one, n_drawn[id(one)]) for one in self.series if n_drawn[id(one)])
        return [*self.notes, *filter(None, partly)]

    def _of_link(self) -> list[tuple[str, Callable[[Axes], None]]]:
        has_frames = self.report["frames"]["read"] or not self.report["packets"]["read"]
        drawn = [("Frames", _drawing(link.frames, self.report))] if has_frames else []
        if self.report["packets"]["read"]:
            drawn.append(("Packets by APID", _drawing(link.packets, self.report)))
        drawn.append(("Gaps and events", lambda axes: link.gaps(axes, self.report, self.events)))
        if self.report["frames"].get("corrected_symbols"):
            drawn.append(("Reed-Solomon", _drawing(link.corrected_symbols, self.report)))
        return drawn

    def _of_products(self) -> list[tuple[Panel, Series]]:
        return panels_of(self.series, MAX_PANELS - len(self._of_link()), self.kinds)


def _drawing(draw: Callable[[Axes, Any], None], what: Any) -> Callable[[Axes], None]:
    return lambda axes: draw(axes, what)


def summary_paths(folder: Path, stem: str) -> list[Path]:
    """Paths of a summary: `<stem>.png`, `<stem>.pdf`, `<stem>.html`."""
    return [folder / f"{stem}{ending}" for ending in (".png", ".pdf", ".html")]


def is_summary_of(paths: Sequence[Path], title: str, content: str) -> bool:
    """Whether existing files are a summary with this title and content, by the head of the HTML file."""
    try:
        with paths[2].open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return all(text.encode() in head for text in (_title(title), _content(content)))


def _title(title: str) -> str:
    return f"<title>{escape(title)}</title>"


def _content(content: str) -> str:
    return f"<meta name='content-digest' content='{escape(content)}'>"


def write_summary(summary: PassSummary, folder: Path, stem: str) -> list[Path]:
    """Write the files of `summary_paths`. Raises ConfigError without Matplotlib, RunError as `whole_file`."""
    check_available()
    paths = summary_paths(folder, stem)
    with _page(summary) as figure:
        for path in paths[:2]:
            metadata = {"CreationDate": None} if path.suffix == ".pdf" else {"Software": None}
            with whole_file(path) as file:
                figure.savefig(file, format=path.suffix[1:], dpi=110, metadata=metadata)
    with whole_file(paths[2]) as file:
        file.write("\n".join(_html(summary)).encode())
    return paths


def _page(summary: PassSummary) -> AbstractContextManager[Figure]:
    drawn = summary.panels()
    notes = (textwrap.fill(escape_dollars(note), NOTE_WIDTH) for note in summary.all_notes()[:MAX_NOTES])
    n_columns = min(math.ceil(math.sqrt(len(drawn))), MAX_COLUMNS)
    title = escape_dollars(f"{summary.title}    {summary.received}")
    return page(PAGE_INCHES, drawn, n_columns, title=title, notes="\n".join(notes))


def _panel(title: str, draw: Callable[[Axes], None]) -> bytes:
    """Draw one panel as PNG."""
    content = io.BytesIO()
    with page((6.0, 3.4), [(title, draw)]) as figure:
        figure.savefig(content, format="png", dpi=130, metadata={"Software": None})
    return content.getvalue()


def _html(summary: PassSummary) -> Iterator[str]:
    title = escape(summary.title)
    yield f"<!doctype html><html lang='en'><meta charset='utf-8'>{_content(summary.content)}{_title(summary.title)}"
    yield f"<style>{_STYLE}</style>"
    yield f"<h1>{title}</h1><p class='lead'>{escape(summary.received)}</p>"
    yield from (f"<p class='lead'>{escape(note)}</p>" for note in summary.all_notes())
    yield "<main>"
    for name, draw in summary.panels():
        data = base64.b64encode(_panel(name, draw)).decode()
        yield f"<figure><img alt='{escape(name)}' src='data:image/png;base64,{data}'></figure>"
    yield "</main><h2>Products</h2>"
    columns = ("instrument", "product", "level", "products", "rows", "doubtful", "corrected", "from", "to")
    yield from _table(columns, map(_row, summary.series))
    yield "<h2>Flags</h2>"
    yield from _table(("product", "flag", "rows", "meaning"), _flags(summary.series))
    yield "<h2>Frames</h2>"
    counts = [
        (name.replace("_", " "), f"{n:,}") for name, n in summary.report["frames"].items() if isinstance(n, int)
    ]
    yield from _table(("frames", "count"), counts)
    yield "<h2>Packets</h2>"
    by_apid = [(apid, f"{n:,}") for apid, n in summary.report["packets"]["by_apid"].items()]
    yield from _table(("APID", "packets"), by_apid)
    yield "<h2>Events</h2>"
    yield from _table(("UTC", "clock", "severity", "kind", "what"), map(_event, summary.events[:200]))
    yield "</html>"


def _table(columns: Sequence[str], rows: Any) -> Iterator[str]:
    body = [f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows]
    if not body:
        yield "<p>none</p>"
        return
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    yield f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _row(series: Series) -> tuple[str, ...]:
    known = series.utc_ns[series.utc_ns != NO_TIME]
    ends = (
        [str(np.datetime64(int(ns), "ns").astype("M8[s]")) for ns in (known.min(), known.max())]
        if len(known)
        else ["", ""]
    )
    n_doubtful = int(np.count_nonzero(series.flagged))
    n_corrected = int(np.count_nonzero(series.quality & np.uint32(Quality.CORRECTED)))
    n_rows = f"{len(series.utc_ns):,}" + (f" (every {series.thinned}th product)" if series.thinned > 1 else "")
    return (
        series.instrument,
        series.product,
        series.level,
        f"{series.n_products:,}",
        n_rows,
        f"{n_doubtful:,}",
        f"{n_corrected:,}",
        *ends,
    )


def _flags(found: Sequence[Series]) -> Iterator[tuple[str, ...]]:
    for series in found:
        for bit in Quality:
            n_rows = int(np.count_nonzero(series.quality & np.uint32(bit)))
            if n_rows:
                name = str(bit.name)
                yield f"{series.instrument}/{series.product}", name, f"{n_rows:,}", QUALITY_MEANINGS[name]


def _event(event: Event) -> tuple[str, ...]:
    time = str(np.datetime64(event.time_ns, "ns").astype("M8[ms]")) if event.time_ns else "unknown"
    return time, event_clock(event.details) if event.time_ns else "", event.severity, event.kind, event.text

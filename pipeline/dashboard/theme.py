"""Dark and light: colours of figures as Bokeh themes, of all else as a style sheet of variables."""

from __future__ import annotations

from bokeh.models import InlineStyleSheet
from bokeh.themes import Theme

from . import plot_focus, print_page
from .page_script import SCRIPT

BLUE, ORANGE, GREEN, RED, VIOLET, CYAN = "#335aff", "#bd8800", "#20a163", "#d02a34", "#a77de3", "#50726c"
PINK = "#c700a7"
"""Three times as bright or dark as the panels of both themes (WCAG 2.2, 1.4.11), and apart for all eyes: at least 21 in
CIELAB for protan, deutan and tritan ones (Machado et al. 2009), the first four of LINES 29."""
LINES = (BLUE, ORANGE, GREEN, VIOLET, CYAN, RED)
"""Of several lines in one plot, in turn."""
MUTED = "#858f9d"
FLAG = MUTED
"""Colour of marks of doubtful rows: a neutral grey that no data has; shape and place identify them."""
FLAG_MARKER = "x"
WARNING = ORANGE
"""Of events."""

_DARK = {
    "page": "#14171c",
    "panel": "#1b2027",
    "text": "#d5dae1",
    "muted": "#98a2b0",
    "line": "#39424e",
    "good": "#3fae72",
    "bad": "#f0706b",
    "warning": "#e8b23c",
    "focus": "#6db3f2",
}
_LIGHT = {
    "page": "#eef1f4",
    "panel": "#ffffff",
    "text": "#1d242c",
    "muted": "#55606d",
    "line": "#ccd3da",
    "good": "#17703f",
    "bad": "#b3261e",
    "warning": "#7d5700",
    "focus": "#1f5fbf",
}


def theme(*, dark: bool) -> Theme:
    """Colours of all figures."""
    colour = _DARK if dark else _LIGHT
    text = {"text_color": colour["text"], "text_font_size": "11px"}
    return Theme(
        json={
            "attrs": {
                "Plot": {
                    "background_fill_color": colour["panel"],
                    "border_fill_color": colour["panel"],
                    "outline_line_color": colour["line"],
                },
                "Grid": {"grid_line_color": colour["line"], "grid_line_alpha": 0.5},
                "Axis": {
                    "major_tick_line_color": colour["muted"],
                    "minor_tick_line_color": None,
                    "axis_line_color": colour["muted"],
                    "major_label_text_color": colour["muted"],
                    "major_label_text_font_size": "11px",
                    "axis_label_text_color": colour["text"],
                    "axis_label_text_font_size": "11px",
                    "axis_label_text_font_style": "normal",
                },
                "Legend": {
                    "label_text_color": colour["text"],
                    "label_text_font_size": "11px",
                    "background_fill_color": colour["panel"],
                    "background_fill_alpha": 0.7,
                    "border_line_color": None,
                },
                "BaseColorBar": {
                    "title_text_color": colour["text"],
                    "title_text_font_size": "11px",
                    "title_text_font_style": "normal",
                    "major_label_text_color": colour["muted"],
                    "background_fill_color": colour["panel"],
                    "bar_line_color": colour["line"],
                },
                "Label": text,
                "LabelSet": text,
            }
        }
    )


def _focus(of: str) -> str:
    """Style of what has the focus by key: `of` is a selector."""
    return f"{of}:focus-visible {{ outline: 2px solid var(--dl-focus) !important; outline-offset: -2px; }}\n"


def sheet(css: str) -> InlineStyleSheet:
    """Style of one model: a page's own style does not reach into Bokeh's shadow trees."""
    return InlineStyleSheet(css=css)


NARROW = "max-width: 700px"
"""A page this narrow is one column, and scrolls."""


def _variables(colour: dict[str, str]) -> str:
    return " ".join(f"--dl-{name}: {value};" for name, value in colour.items())


TEMPLATE = f"""
{{% block title %}}downlink{{% endblock %}}
{{% block postamble %}}
<style>
  :root {{ {_variables(_DARK)} color-scheme: dark; }}
  :root.light {{ {_variables(_LIGHT)} color-scheme: light; }}
  html, body {{ height: 100%; margin: 0; overflow: hidden; background: var(--dl-page); }}
  @media ({NARROW}) {{ html, body {{ height: auto; overflow: visible; }} }}
  #connection {{
    position: fixed; top: 0; left: 0; right: 0; z-index: 100; padding: 10px; text-align: center;
    background: #b3261e; color: #ffffff; font-weight: bold;
  }}
  body {{ font: 13px/1.3 system-ui, "DejaVu Sans", sans-serif; color: var(--dl-text); }}
{print_page.page(_variables(_LIGHT))}</style>
<script>
  if (new URLSearchParams(location.search).get("theme") === "light") document.documentElement.classList.add("light")
{SCRIPT}{plot_focus.script(_focus(".bk-events"))}{print_page.script(_DARK, _LIGHT)}</script>
{{% endblock %}}
"""

WIDGET_CSS = (
    """
:host { color: var(--dl-text); font-size: 12px; }
.bk-input, .bk-btn, .bk-btn.bk-btn-default {
  background-color: var(--dl-panel) !important; color: var(--dl-text) !important;
  border-color: var(--dl-line) !important; font-size: 12px;
}
.bk-input { height: 26px !important; min-height: 0 !important; padding: 0 20px 0 8px !important; }
select.bk-input { appearance: auto !important; background-image: none !important; padding: 0 4px !important; }
.bk-btn { padding: 2px 6px !important; min-height: 0 !important; }
.bk-btn.bk-active { background-color: var(--dl-line) !important; }
.bk-btn.bk-btn-primary { border-color: var(--dl-text) !important; font-weight: bold; }
.bk-slider-title, label { color: var(--dl-text) !important; }
.noUi-target, .noUi-handle { background: var(--dl-line) !important; border-color: var(--dl-muted) !important; }
"""
    + _focus(":is(input, select, button, .noUi-handle)")
    + print_page.WIDGET
)

TABS_CSS = (
    f"""
@media ({NARROW}) {{
  :host {{ height: auto !important; flex: none !important; }}
  [style*="visibility: hidden"] {{ display: none !important; }}
}}
"""  # looks that are not in sight would make the page as long as the longest of them
    """
:host { color: var(--dl-text); grid-template-columns: minmax(0, 1fr) !important; }
.bk-Row, .bk-Column { min-width: 0 !important; }
.bk-header { border-bottom: 1px solid var(--dl-line) !important; }
.bk-tab { color: var(--dl-muted); padding: 5px 16px !important; }
.bk-headers-wrapper { flex-wrap: wrap; }
.bk-tab:hover { background: var(--dl-panel) !important; }
.bk-tab.bk-active {
  color: var(--dl-text) !important; background: var(--dl-panel) !important; border-color: var(--dl-line) !important;
}
""" + _focus(".bk-tab") + print_page.TABS
)

PANEL_CSS = (
    f"""
:host {{
  background: var(--dl-panel); border-radius: 5px; padding: 3px 6px; box-sizing: border-box;
  min-width: 0; min-height: 0; overflow: hidden;
}}
@media ({NARROW}) {{ :host {{ flex: none !important; width: auto !important; height: 300px !important; }} }}
"""
    + print_page.PANEL
)

HEAD_CSS = ":host { height: auto !important; min-height: 24px; flex: none !important; }"

CAPTION_CSS = (
    """
:host {
  width: 0 !important; min-width: 0; flex: 1 1 0 !important; height: auto !important;
  color: var(--dl-text); font-size: 12px; overflow: hidden; container-type: inline-size;
}
.line {
  display: flex; flex-wrap: wrap; column-gap: 10px; height: 20px; line-height: 20px; overflow: hidden;
  white-space: nowrap;
}
.line > * { max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
@container (max-width: 430px) { .date { display: none; } }
.age { color: var(--dl-muted); }
.stale { font-weight: bold; color: var(--dl-text); }
.flag { line-height: 16px; padding-right: 4px; overflow-wrap: anywhere; }
"""
    + print_page.CAPTION
)
"""What has no room in the one line wraps, as a whole, to where it is not seen; why rows are doubtful has lines of its
own, and is never cut."""

CONTROLS_CSS = """
:host { height: auto !important; flex: none !important; flex-wrap: wrap; row-gap: 2px; min-width: 0; }
"""
"""Of a row of controls, which wraps where it has no room."""

NARROW_CSS = (
    f"""
:host {{ min-width: 0 !important; min-height: 0 !important; }}
@media (min-width: 701px) and (max-width: 900px) {{
  :host(.bk-Row) {{ flex-wrap: wrap; }}
  :host(.bk-Row) > .bk-Column:nth-last-child(n+4), :host(.bk-Row) > .bk-Column:nth-last-child(n+4) ~ .bk-Column {{
    flex: 1 1 45% !important;
  }}
}}
@media ({NARROW}) {{
  :host {{
    flex-direction: column !important; flex: none !important; width: auto !important; height: auto !important;
  }}
}}
"""
    + print_page.LAYOUT
)
"""Of rows and columns: what they hold may be narrower than it was drawn first; of four columns two
stand beside each other on a page of 900 px, as A4 in print, and on a narrow one all below each other."""

MEDIUM = "(min-width: 701px) and (max-width: 900px)"
SIDE_BELOW_CSS = f"""
@media {MEDIUM} {{ :host {{ flex-direction: column !important; }} }}
@media print and {MEDIUM} {{ :host > * {{ flex: none !important; }} }}
"""
"""Of a row whose second part stands below the first one on a page of 900 px, such as A4 in print."""
SIDE_CSS = f"""
@media {MEDIUM} {{ :host {{ width: auto !important; }} }}
@media screen and {MEDIUM} {{ :host {{ flex: 0.6 1 0 !important; flex-direction: row !important; }} }}
"""
"""Of that second part: a column that is a row then, on a screen."""

UNMADE_CSS = """
:host(.unmade)::after { content: "being opened ..."; color: var(--dl-muted); font-size: 13px; padding: 12px; }
"""
"""Of the place of a look: with many viewers one waits for its turn."""

TABLE_CSS = (
    """
:host { overflow: auto; color: var(--dl-text); font-size: 12px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 2px 8px 2px 2px; border-bottom: 1px solid var(--dl-line); white-space: nowrap; }
th { color: var(--dl-muted); font-weight: normal; text-align: left; white-space: normal; vertical-align: bottom; }
.number { font-variant-numeric: tabular-nums; }
.when { white-space: normal; min-width: 11em; }
.text { white-space: normal; overflow-wrap: anywhere; min-width: 11em; }
"""
    + print_page.SCROLLED
)

PICK_CSS = """
[data-pick] { cursor: pointer; } [data-pick]:hover, .chosen { background: var(--dl-line); }
""" + _focus("tr")
"""Of rows that are chosen by click or Enter."""

PACKET_CSS = (
    """
:host { overflow: auto; color: var(--dl-text); font-size: 12px; }
pre { font: 12px/18px "DejaVu Sans Mono", monospace; margin: 0 0 8px; max-height: 40vh; overflow: auto; }
pre .place, pre .text, .undescribed { color: var(--dl-muted); }
pre span[style] { padding: 1px 0; }
pre .picked { outline: 2px solid var(--dl-text); outline-offset: -1px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 2px 8px 2px 2px; border-bottom: 1px solid var(--dl-line); text-align: left; vertical-align: top; }
th { color: var(--dl-muted); font-weight: normal; position: sticky; top: 0; background: var(--dl-panel); }
td { overflow-wrap: anywhere; } td:first-child { white-space: nowrap; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
i { display: inline-block; width: 10px; height: 10px; margin-right: 5px; }
"""
    + print_page.SCROLLED
)

PARAMETERS_CSS = (
    PICK_CSS
    + """
thead th { position: sticky; top: 0; background: var(--dl-panel); z-index: 1; white-space: nowrap; }
.group th { color: var(--dl-text); font-weight: bold; padding-top: 8px; }
.name {
  display: inline-block; min-width: 8em; width: max-content; max-width: 18em;
  overflow-wrap: anywhere; white-space: normal;
}
.value { font-variant-numeric: tabular-nums; max-width: 14em; overflow: hidden; text-overflow: ellipsis; }
.group { cursor: pointer; } .group .count { color: var(--dl-muted); font-weight: normal; }
.choose { white-space: nowrap; padding-right: 4px; }
@media print { .choose { display: none; } .name { max-width: 13em; min-width: 0; } }
.choose input { margin: 0 2px 0 0; vertical-align: middle; cursor: pointer; }
.choose button {
  border: 0; padding: 0 2px; background: none; color: inherit; font-size: 14px; line-height: 1; cursor: pointer;
}
svg { display: block; } polyline { fill: none; stroke: currentColor; stroke-width: 1; }
.error { color: var(--dl-bad); } .warning { color: var(--dl-warning); }
.doubt { font-weight: bold; } .doubt::before { content: "✕ "; }
"""
)
"""Of a table whose rows are chosen by click or Enter."""

STATISTICS_CSS = """
@media screen { :host { max-height: 40%; flex: none !important; height: auto !important; } }
table { font-size: 11px; } td, th { padding: 1px 4px 1px 1px; }
td.number, th:nth-child(n+4) { text-align: right; }
button { border: 0; padding: 0 4px; background: none; color: inherit; cursor: pointer; }
.key { display: flex; align-items: center; gap: 4px; }
svg { display: block; }
""" + _focus("button")
"""Of the statistics below a plot, whose first column is its legend."""

VALUES_CSS = """
.one { display: inline-flex; flex-direction: column; margin: 6px 22px 6px 4px; }
.label { color: var(--dl-muted); }
.large { font-size: 24px; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
small { font-size: 14px; color: var(--dl-muted); }
.error { color: var(--dl-bad); } .warning { color: var(--dl-warning); } .missing { color: var(--dl-muted); }
"""
PROBLEMS_CSS = ":host { color: var(--dl-text); font-size: 13px; } p { color: var(--dl-bad); font-weight: bold; }"

GRID_CSS = f"""
:host {{ min-width: 0 !important; min-height: 0 !important; }}
@media ({NARROW}) {{
  :host {{ display: flex !important; flex-direction: column; width: auto !important; height: auto !important; }}
}}
@media print {{ :host {{ height: auto !important; }} }}
"""
"""Of the grid of a display: where the page is narrow, one panel below the other."""

PLOT_CSS = f"""
@media (min-width: 1200px) {{ :host {{ flex: 0.95 1 0 !important; }} }}
@media ({NARROW}) {{ :host {{ height: 560px !important; }} }}
@media print {{ :host {{ height: auto !important; order: -1; }} }}
"""
"""Of a plot of several parameters, beside that of a panel: its figures and the statistics below them need more room."""

FIGURES_CSS = ":host { overflow-y: auto; overflow-x: hidden; }" + print_page.SCROLLED

BAR_CSS = """
:host { color: var(--dl-text); font-size: 12px; white-space: nowrap; overflow: hidden; text-align: right; }
.muted { color: var(--dl-muted); font-variant-numeric: tabular-nums; } .bad { color: var(--dl-bad); }
@media (max-width: 1399px) { :host { order: 1; text-align: left; margin-left: 10px !important; } }
"""
"""How a replay stands: left of its controls, which end at the right edge; right of them where they begin at the left
one."""

REPLAY_CSS = """
:host { flex: none !important; flex-wrap: wrap; row-gap: 2px; height: auto !important; min-width: 0; padding-top: 3px; }
@media (min-width: 1400px) { :host { position: absolute !important; top: 37px; right: 2px; z-index: 10; } }
"""
"""A row of its own; where the page is wide, over the free end of the row of tabs, so that it takes no height."""

TIME_CSS = f"""
:host {{ color: var(--dl-text); font-size: 12px; line-height: 22px; overflow: hidden; }}
@media ({NARROW}) {{ :host {{ flex: 1 0 100% !important; }} }}
.muted {{ color: var(--dl-muted); }} .bad {{ color: var(--dl-bad); }}
"""

TALL_CSS = f"@media screen and ({NARROW}) {{ :host {{ height: 640px !important; }} }}"
"""Of panels that need their height on a narrow page: the lanes of a history, a long list."""

EVENTS_CSS = f"""
@media ({NARROW}) {{
  table, tbody, tr {{ display: block; }} tr:first-child {{ display: none; }}
  tr {{ border-bottom: 1px solid var(--dl-line); padding: 3px 0; }}
  td {{ display: inline-block; border: 0; padding: 0 8px 0 2px; min-width: 0; }} td.text {{ display: block; }}
}}
"""
"""Of a list of events: on a narrow page the text of each stands below its time, clock, severity and source."""

TIME_BAR_CSS = """
:host { flex: none !important; flex-wrap: wrap; row-gap: 2px; height: auto !important; min-width: 0; }
"""
"""The bar of the time axis, which wraps where it has no room."""

HEADER_ROW_CSS = f"""
:host {{ flex: none !important; height: auto !important; min-height: 38px; }}
@media ({NARROW}) {{ :host {{ flex-wrap: wrap; }} }}
"""

HEADER_CSS = f"""
:host {{ color: var(--dl-text); font-size: 13px; line-height: 17px; height: auto !important; }}
span {{ white-space: nowrap; }} .onboard {{ white-space: normal; }}
@media ({NARROW}) {{ :host {{ flex: 1 0 calc(100% - 14px) !important; }} span {{ white-space: normal; }} }}
b {{ font-size: 16px; margin-right: 14px; }}
.clock, .onboard {{ font-variant-numeric: tabular-nums; }}
.good {{ color: var(--dl-good); }} .bad, .stale {{ color: var(--dl-bad); font-weight: bold; }}
.muted {{ color: var(--dl-muted); }}
"""

"""How the page looks on paper: all of the look in sight, dark on white, in as many pages as it takes.

Style sheets for `@media print`, each for the shadow tree of one kind of model, and a script. On a screen a look fills
the window and long tables scroll; on paper figures have a height of their own and tables are as long as they are. The
script gives figures the colours of the light theme and lays them out for the width of the paper, since a canvas keeps
the size and the colours that it was drawn with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

FIGURE_PX = 270
"""Height of a figure on paper: three below each other, with their captions, fit on a page of A4."""

LAYOUT = """
@media print {
  :host { height: auto !important; }
  :host(.bk-Column) > * { flex: none !important; }
}
"""
"""Of rows and columns."""

BELOW = """
@media print {
  :host { flex-direction: column !important; }
  :host > * { flex: none !important; width: auto !important; }
}
"""
"""Of a row whose parts stand below one another: a table that needs the whole width, and a plot."""

SCROLLED = """
@media print {
  :host { overflow: visible !important; height: auto !important; max-height: none !important; }
  .bk-clearfix { display: block !important; height: auto !important; }
  pre { max-height: none !important; white-space: pre-wrap; }
  th, td:not(.number) { white-space: normal !important; }
}
"""
"""Of what scrolls on a screen."""

PANEL = """
@media print {
  :host {
    height: auto !important; width: auto !important; max-width: 100% !important; overflow: visible !important;
    border: 1px solid var(--dl-line);
  }
  :host > * { flex: none !important; }
}
"""

HIDDEN = "@media print { :host { display: none !important; } }"
"""Of what the page says elsewhere."""

WHOLE = "@media print { :host { break-inside: avoid; } }"
"""Of a panel with a figure: it stands on one page."""

TABS = """
@media print {
  :host { height: auto !important; flex: none !important; }
  [style*="visibility: hidden"], .bk-tab:not(.bk-active) { display: none !important; }
}
"""
"""Of the tabs: the look in sight alone."""

CAPTION = """
@media print {
  :host { overflow: visible !important; } .line { height: auto !important; overflow: visible !important; }
}
"""

WIDGET = """
@media print {
  :host(.bk-Button), .bk-btn:not(.bk-active), input:placeholder-shown { display: none !important; }
  :host(.bk-TextInput) { width: auto !important; }
}
"""
"""Of widgets: what is chosen is part of the picture, what does something is not."""


def page(light: str) -> str:
    """Of the document. `light`: declarations of the colours of the light theme."""
    return f"""
  @page {{ margin: 10mm; }}
  @media print {{
    :root, :root.light {{ {light} --dl-page: #ffffff; color-scheme: light; print-color-adjust: exact; }}
    html, body {{ height: auto; overflow: visible; }}
  }}
"""


def figure(height_px: int) -> str:
    """Of a figure. Its canvas is as wide as on the screen at first: what is cut off does not make the page wider."""
    return f"@media print {{ :host {{ height: {height_px}px !important; flex: none; overflow: clip; }} }}"


def script(dark: Mapping[str, str], light: Mapping[str, str]) -> str:
    """The script. `dark`, `light`: colours of figures in both themes, by name.

    The listener of the print medium is called once the page has the width of the paper, before it is painted. What it
    sets is not sent to the server (`sync: false`), and is set back after printing.
    """
    lighter = {dark[name]: light[name] for name in dark}
    return _SCRIPT.replace("LIGHTER", json.dumps(lighter))


_SCRIPT = """
{
  const lighter = LIGHTER
  let changed = []  // [model, attributes as they were]
  const in_light = (value) => typeof value === "string" ? lighter[value]
    : lighter[value?.value] != null ? {...value, value: lighter[value.value]} : undefined
  const lighten = (model) => {
    const colours = Object.keys(model.properties).filter((name) => name.endsWith("_color"))
      .map((name) => [name, model[name]]).filter(([_, value]) => in_light(value) != null)
    if (colours.length === 0) return
    changed.push([model, Object.fromEntries(colours)])
    model.setv(Object.fromEntries(colours.map(([name, value]) => [name, in_light(value)])), {sync: false})
  }
  const paint = (is_on_paper) => {
    for (const model of Bokeh.documents[0]._all_models.values()) {
      const view = model.type === "Figure" ? Bokeh.index.find_one(model) : null
      if (view == null) continue
      view.canvas_view.overlays.el.style.display = is_on_paper ? "none" : ""  // of tools; a cleared canvas prints white
      if (view.is_displayed) view.repaint()
    }
  }
  const paper = matchMedia("print")
  paper.addEventListener("change", (event) => {
    if (!globalThis.Bokeh?.documents?.length) return
    if (event.matches) for (const model of [...Bokeh.documents[0]._all_models.values()]) lighten(model)
    else for (const [model, before] of changed.splice(0)) model.setv(before, {sync: false})
    for (const root of Bokeh.documents[0].roots()) Bokeh.index.find_one(root)?.invalidate_layout()
    paint(event.matches)
  })
  paper.addEventListener("change", (event) => {  // promises that follow a new size are settled here
    if (globalThis.Bokeh?.documents?.length) paint(event.matches)
  })
}
"""

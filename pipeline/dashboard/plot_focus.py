"""Outline of a plot that has the focus by key, a part of the page's script: no style of a figure reaches its canvas."""

from __future__ import annotations


def script(focus: str) -> str:
    """The script. `focus`: style sheet of a canvas, class `bk-events`, that has the focus."""
    return _SCRIPT.replace("FOCUS", f"`{focus}`")


_SCRIPT = """
{
  const seen = new WeakSet()
  addEventListener("keyup", (event) => {  // that of Tab is the first event of a canvas that it reaches
    const canvas = event.composedPath().find((one) => one.matches?.(".bk-events"))
    if (canvas == null || seen.has(canvas)) return
    seen.add(canvas)
    const style = document.createElement("style")
    style.textContent = FOCUS
    canvas.after(style)
  })
}
"""

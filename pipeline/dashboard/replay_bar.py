"""The bar of a replay: pause, position, speed, and its progress. It only sends commands."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any

from bokeh.layouts import row
from bokeh.models import Button, Select, Slider, UIElement

from ..model.errors import DownlinkError
from . import theme
from .progress import Progress, SendCommand
from .stream import Stream
from .theme import sheet
from .words import Words

SPEEDS = ("0.25 x", "0.5 x", "1 x", "2 x", "5 x", "10 x", "50 x", "max")
_DRAGGED_S = 2.0
"""The slider is not updated for so long after a viewer moved it."""


class ReplayBar:
    """Shown where the chosen stream is a replay that listens."""

    def __init__(self, send_command: SendCommand) -> None:
        self._send_command = send_command
        self._stream = ""
        self._paused = self._updating = False
        self._now_s = self._dragged_s = float("-inf")
        self._trouble = ""
        self._tasks: set[asyncio.Task[None]] = set()
        css = [sheet(theme.WIDGET_CSS)]
        size: dict[str, Any] = {"height": 26, "margin": (0, 4, 0, 4), "stylesheets": css}
        self.button = Button(label="pause", width=68, name="pause", **size)
        self.place = Slider(
            start=0, end=100, step=0.1, value=0, width=200, show_value=False, name="place",
            height=26, margin=(4, 10, 0, 10), stylesheets=css, tooltips=False,
        )  # fmt: skip
        self.speed = Select(options=list(SPEEDS), value="1 x", width=74, name="speed", **size)
        self._words = Words(theme.BAR_CSS, width=340, margin=(4, 4, 0, 4), name="replay")
        self.button.on_click(self._press)
        self.place.on_change("value", self._drag)
        self.place.on_change("value_throttled", self._seek)
        self.speed.on_change("value", self._set_speed)
        self.root: UIElement = row(
            self._words.root, self.button, self.place, self.speed,
            visible=False, name="replay_bar", height=30, stylesheets=[sheet(theme.REPLAY_CSS)],
        )  # fmt: skip

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        progress = stream.replaying(now_s) if stream else None
        self._stream, self._now_s = stream.name if stream else "", now_s
        if self.root.visible != (progress is not None):
            self.root.visible = progress is not None
        if progress is None:
            return
        self._updating = True
        try:
            self._show(progress)
        finally:
            self._updating = False

    def _show(self, progress: Progress) -> None:
        self._paused = progress.state in {"paused", "ended"}
        label = {"paused": "resume", "ended": "again"}.get(progress.state, "pause")
        if self.button.label != label:
            self.button.label = label
        speed = progress.speed if progress.speed == "max" else f"{progress.speed:g} x"
        if self.speed.value != speed:
            self.speed.update(options=[*SPEEDS, *({speed} - set(SPEEDS))], value=speed)
        place = round(100 * progress.share, 1) if progress.share is not None else 0.0
        if self.place.disabled != (progress.share is None):
            self.place.disabled = progress.share is None
        if self._now_s - self._dragged_s > _DRAGGED_S and abs(self.place.value - place) >= self.place.step:
            self.place.value = place
        text = _words(progress) if not self._trouble else f"<span class='bad'>{escape(self._trouble)}</span>"
        self._words.set(text)

    def _press(self) -> None:
        self._send({"command": "resume" if self._paused else "pause"})

    def _drag(self, _attr: str, _old: object, _new: object) -> None:
        if not self._updating:
            self._dragged_s = self._now_s

    def _seek(self, _attr: str, _old: object, new: float) -> None:
        self._send({"command": "seek", "share": new / 100})

    def _set_speed(self, _attr: str, _old: object, new: str) -> None:
        if not self._updating:
            self._send({"command": "speed", "speed": "max" if new == "max" else float(new.split(maxsplit=1)[0])})

    def _send(self, command: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._sent(self._stream, command), name="command")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sent(self, stream: str, command: dict[str, Any]) -> None:
        try:
            await self._send_command(stream, command)
            self._trouble = ""
        except DownlinkError as error:  # the viewer sees it in the bar
            self._trouble = f"not sent: {error}"


def _words(progress: Progress) -> str:
    if progress.refused:
        return f"<span class='bad'>refused: {escape(progress.refused)}</span>"
    share = "" if progress.share is None else f"{100 * progress.share:.0f} % "
    late = f", {progress.behind_s:.1f} s behind" if progress.behind_s is not None and progress.behind_s >= 1 else ""
    return f"<b>{progress.state}</b> {share}<span class='muted'>{escape(progress.time)}{late}</span>"

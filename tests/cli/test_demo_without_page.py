"""What `downlink demo` says on a terminal where the libraries of the live page are missing."""

import asyncio

from downlink_pipeline.cli import passes
from downlink_pipeline.commands import live_page


def test_the_demo_names_what_the_live_page_needs(monkeypatch):
    monkeypatch.setattr(live_page, "has_dashboard", lambda: False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)

    async def lines():
        async with passes._demo_dashboard("mqtt://127.0.0.1:1") as where:
            return where

    (line,) = asyncio.run(lines())
    assert "bokeh" in line
    assert "pip install" in line

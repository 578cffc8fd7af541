"""Scripts of the page over HTTP: those that all looks need, compressed, kept by the browser.

Of BokehJS (3.9 MB) a page loads its core and its widgets: 1.7 MB, 0.45 MB as they are sent. `extra_scripts.py` loads
the rest where a look needs it. Addresses carry a hash of the content, so a browser asks once for each version.
"""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache
from pathlib import Path

from bokeh.server.views.static_handler import StaticHandler

COMPONENTS = ("bokeh", "bokeh-widgets")
"""Of BokehJS, in each page."""
COMPRESSED = (".js", ".css", ".svg")
"""Endings of files that become much smaller."""


class ScriptHandler(StaticHandler):  # type: ignore[misc]  # Bokeh's handlers have no types
    """Answers with a static file of BokehJS: compressed with gzip where the browser takes that, as it is otherwise."""

    is_compressed = False

    async def get(self, path: str, include_body: bool = True) -> None:
        """A file, or status 304 where the browser has it."""
        if path.endswith(COMPRESSED):
            self.set_header("Vary", "Accept-Encoding")
            self.is_compressed = takes_gzip(self.request.headers.get("Accept-Encoding", ""))
        if self.is_compressed:
            await self._send_compressed(path, include_body)
        else:
            await super().get(path, include_body)

    async def _send_compressed(self, path: str, include_body: bool) -> None:
        self.path = self.parse_url_path(path)
        place = self.get_absolute_path(self.root, self.path)
        self.absolute_path = self.validate_absolute_path(self.root, place)
        if self.absolute_path is None:  # it was answered
            return
        self.modified = self.get_modified_time()
        self.set_headers()
        if self.should_return_304():
            self.set_status(304)
            return
        body = await asyncio.to_thread(_compressed, self.absolute_path)
        self.set_header("Content-Length", str(len(body)))
        if include_body:
            self.write(body)

    def compute_etag(self) -> str | None:
        """Another tag for the compressed file (RFC 9110 8.8.3.3)."""
        tag: str | None = super().compute_etag()
        return f'{tag[:-1]}-gzip"' if tag and self.is_compressed else tag

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - Tornado's interface
        """Say how the body is encoded; ranges of it are not served."""
        if self.is_compressed:
            self.set_header("Content-Encoding", "gzip")
            self.set_header("Accept-Ranges", "none")


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client that sends this header takes a body in gzip (RFC 9110 12.5.3)."""
    weights: dict[str, str] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.strip().removeprefix("q=")
    weight = weights.get("gzip", weights.get("*", "0"))
    return weight.strip("0.") != "" or weight == ""


@lru_cache(maxsize=16)
def _compressed(path: str) -> bytes:
    """A file in gzip, as long as the process runs: installed files do not change."""
    return gzip.compress(Path(path).read_bytes(), mtime=0)

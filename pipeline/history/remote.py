"""Client of a history served by `downlink history serve`, with the interface of `History`.

`open_history("grpc://HOST:PORT")` asks over Arrow Flight (`--flight`), `open_history("http://HOST:PORT")` over HTTP.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from ..model.errors import ConfigError
from .history import History, Values
from .kind_rows import Extent, KindRows, Range, Which
from .opening import HTTP, TOKEN
from .parameter import Parameter
from .passes import PassRecord
from .rows import RowReader
from .storage import Storage
from .times import Time, to_ns
from .transports import FlightTransport, HttpTransport, Transport


class RemoteHistory(History):
    """`url`: `grpc://HOST:PORT`, `grpc+tls://`, `http://HOST:PORT` or `https://`, with the path of the server if it has
    one. `token`: by default that of DOWNLINK_HISTORY_TOKEN.

    Each method is a request; `storage` and `reader`, which need the folder, raise ConfigError. Over HTTP there is no
    `sql`, and answers are bounded. Errors of the server are raised as ConfigError (the request) or RunError.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        token = os.environ.get(TOKEN, "") if token is None else token
        make: type[HttpTransport | FlightTransport] = HttpTransport if url.startswith(HTTP) else FlightTransport
        self._transport: Transport = make(url, token)

    @property
    def storage(self) -> Storage:
        raise ConfigError(f"{self.url}: a served history can only be queried; this needs its folder")

    def reader(self, values: Values = "calibrated") -> RowReader:
        return RowReader(self.storage, values)

    @property
    def problems(self) -> dict[str, str]:
        """Empty: the server reports them."""
        return {}

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _ask(self, call: str, **arguments: Any) -> pa.Table:
        return self._transport.ask(_ticket(call, arguments))

    def kinds(self, values: Values = "calibrated") -> dict[str, str]:
        table = self._ask("kinds", values=values)
        return dict(zip(table["kind"].to_pylist(), table["folder"].to_pylist(), strict=True))

    def parameters(self, kind: str, values: Values = "calibrated") -> list[Parameter]:
        return _parameters(self._ask("parameters", kind=kind, values=values))

    def find(self, pattern: str = "*", values: Values = "calibrated") -> list[Parameter]:
        return _parameters(self._ask("find", pattern=pattern, values=values))

    def resolve(self, name: str, values: Values = "calibrated") -> Parameter:
        return _parameters(self._ask("resolve", name=name, values=values))[0]

    def table(self, *names: str, start: Time = None, end: Time = None, **how: Any) -> pa.Table:
        return self._ask("table", names=names, start=to_ns(start), end=to_ns(end, is_end=True), **how)

    def newest(self, *names: str, end: Time = None, values: Values = "calibrated") -> list[dict[str, Any]]:
        before = to_ns(end, is_end=True)
        tables = (self._ask("last", names=[name], end=before, values=values) for name in names)
        return [row for table in tables for row in table.to_pylist()]

    def scan(self, kind: str, *, start: Time = None, end: Time = None, values: Values = "calibrated") -> ds.Dataset:
        """As `History.scan`, with all rows in memory; `batches` streams them."""
        return ds.dataset(self.batches(kind, start=start, end=end, values=values).read_all())

    def batches(
        self,
        kind: str,
        *,
        columns: Sequence[str] | None = None,
        start: Time = None,
        end: Time = None,
        values: Values = "calibrated",
    ) -> pa.RecordBatchReader:
        arguments = {"kind": kind, "columns": None if columns is None else list(columns), "values": values}
        return self._transport.stream(
            _ticket("scan", arguments | {"start": to_ns(start), "end": to_ns(end, is_end=True)})
        )

    def sql(self, query: str, *, max_rows: int = 1_000_000) -> pa.Table:
        return self._ask("sql", query=query, max_rows=max_rows)

    def passes(self, *, brief: bool = False) -> list[PassRecord]:
        found = self._ask("passes", brief=brief or None)["record"].to_pylist()
        return [PassRecord(**json.loads(text)) for text in found]

    def rows_of(self, kind: str) -> KindRows:
        return RemoteKindRows(self._transport, kind)

    def spans(self) -> dict[str, Range]:
        table = self._ask("spans")
        columns = (table[name].to_pylist() for name in ("kind", "first", "last"))
        return {kind: (first, last) for kind, first, last in zip(*columns, strict=True)}


class RemoteKindRows(KindRows):
    """Rows of a kind of a served history."""

    def __init__(self, transport: Transport, kind: str) -> None:
        self._transport, self.kind = transport, kind

    def _ask(self, call: str, **arguments: Any) -> pa.Table:
        return self._transport.ask(_ticket(call, {"kind": self.kind, **arguments}))

    def extent(self, start: int, end: int, stream: str = "", *, lists: bool = False) -> Extent:
        (text,) = self._ask("extent", start=start, end=end, stream=stream, lists=lists)["extent"].to_pylist()
        found = json.loads(text)
        return Extent(**{**found, "files": [(first, last) for first, last in found["files"]]})

    def rows(self, start: int, end: int, stream: str = "", which: Which = "all") -> pa.Table:
        return self._ask("kind_rows", start=start, end=end, stream=stream, which=which)

    def samples(self, start: int, end: int, points: int, stream: str = "", which: Which = "numbers") -> pa.Table:
        return self._ask("kind_samples", start=start, end=end, points=points, stream=stream, which=which)


def _ticket(call: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"call": call, **{key: value for key, value in arguments.items() if value is not None}}


def _parameters(table: pa.Table) -> list[Parameter]:
    return [Parameter(**row) for row in table.to_pylist()]

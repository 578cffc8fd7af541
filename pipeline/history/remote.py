"""A history that `downlink history serve --flight` serves, asked as one on a disk: `open_history("grpc://HOST:PORT")`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import flight

from ..model.errors import ConfigError, RunError
from .history import History, Parameter, Values
from .opening import TOKEN
from .passes import PassRecord
from .rows import RowReader
from .storage import Storage
from .times import Time, to_ns


class RemoteHistory(History):
    """`url`: `grpc://HOST:PORT`, or `grpc+tls://` behind a proxy. `token`: else that of DOWNLINK_HISTORY_TOKEN.

    Every method asks the server; what needs the folder itself (`storage`) is a ConfigError.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        token = os.environ.get(TOKEN, "") if token is None else token
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        self._options = flight.FlightCallOptions(headers=headers)
        try:
            self._client = flight.connect(url)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ConfigError(f"{url}: it is written grpc://HOST:PORT: {error}") from error

    @property
    def storage(self) -> Storage:
        raise ConfigError(f"{self.url}: over Flight a history is asked alone; this needs its folder")

    def reader(self, values: Values = "calibrated") -> RowReader:
        return RowReader(self.storage, values)

    @property
    def problems(self) -> dict[str, str]:
        """Empty: the server names them."""
        return {}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _stream(self, call: str, **asked: Any) -> flight.FlightStreamReader:
        """The answer as it comes."""
        told = {key: value for key, value in asked.items() if value is not None}
        return self._client.do_get(flight.Ticket(json.dumps({"call": call, **told}).encode()), self._options)

    def _ask(self, call: str, **asked: Any) -> pa.Table:
        with self._told():
            return self._stream(call, **asked).read_all()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the server as it raised them."""
        try:
            yield
        except flight.FlightServerError as error:
            raise _error_of(error) from None
        except flight.FlightUnauthenticatedError:
            raise ConfigError(f"{self.url}: the token in {TOKEN} is needed") from None
        except (pa.ArrowException, OSError) as error:
            line = str(error).partition(". Detail:")[0].splitlines()[0]
            raise RunError(f"{self.url} does not answer: {line}") from None

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
        asked = (self._ask("last", names=[name], end=before, values=values) for name in names)
        return [row for table in asked for row in table.to_pylist()]

    def scan(self, kind: str, *, start: Time = None, end: Time = None, values: Values = "calibrated") -> ds.Dataset:
        """As of a folder, but that the rows are here when it returns; `batches` has them as they come."""
        with self._told():
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
        with self._told():
            stream = self._stream(
                "scan",
                kind=kind,
                columns=None if columns is None else list(columns),
                start=to_ns(start),
                end=to_ns(end, is_end=True),
                values=values,
            )
            return stream.to_reader()

    def sql(self, query: str, *, max_rows: int = 1_000_000) -> pa.Table:
        return self._ask("sql", query=query, max_rows=max_rows)

    def passes(self) -> list[PassRecord]:
        return [PassRecord(**json.loads(text)) for text in self._ask("passes")["record"].to_pylist()]


def _parameters(table: pa.Table) -> list[Parameter]:
    return [Parameter(**row) for row in table.to_pylist()]


def _error_of(error: flight.FlightServerError) -> ConfigError | RunError:
    """What the server says in the extra information of an error."""
    try:
        told = json.loads(error.extra_info)
        kind = ConfigError if told["usage"] else RunError
        return kind(told["error"])
    except (ValueError, KeyError, TypeError):
        return RunError(str(error).partition(". Detail:")[0])

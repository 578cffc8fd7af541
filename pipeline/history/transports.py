"""Transports of the calls of `calls.py` to a served history: Arrow Flight, or HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pyarrow as pa

from ..model.errors import ConfigError, DownlinkError, RunError
from .opening import TOKEN

TIMEOUT_S = 120.0
"""Time limit of an answer over HTTP."""


class Transport(Protocol):
    """One server."""

    def ask(self, ticket: Mapping[str, Any]) -> pa.Table:
        """The whole answer. ConfigError if the request is wrong, RunError if the server fails or does not answer."""

    def stream(self, ticket: Mapping[str, Any]) -> pa.RecordBatchReader:
        """The answer as a stream of batches. Errors as of `ask`."""

    def close(self) -> None:
        """Close the connection."""


class FlightTransport:
    """`url`: `grpc://HOST:PORT`, or `grpc+tls://`."""

    def __init__(self, url: str, token: str) -> None:
        from pyarrow import flight  # noqa: PLC0415 - loads gRPC

        self._url, self._flight = url, flight
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        self._options = flight.FlightCallOptions(headers=headers)
        try:
            self._client = flight.connect(url)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ConfigError(f"{url}: it is written grpc://HOST:PORT: {error}") from error

    def ask(self, ticket: Mapping[str, Any]) -> pa.Table:
        with self._errors():
            return self._get(ticket).read_all()

    def stream(self, ticket: Mapping[str, Any]) -> pa.RecordBatchReader:
        with self._errors():
            return self._get(ticket).to_reader()

    def close(self) -> None:
        self._client.close()

    def _get(self, ticket: Mapping[str, Any]) -> Any:
        return self._client.do_get(self._flight.Ticket(json.dumps(ticket).encode()), self._options)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of the server as ConfigError or RunError."""
        try:
            yield
        except self._flight.FlightServerError as error:
            raise _error_of(error) from None
        except self._flight.FlightUnauthenticatedError:
            raise ConfigError(f"{self._url}: the token in {TOKEN} is needed") from None
        except (pa.ArrowException, OSError) as error:
            line = str(error).partition(". Detail:")[0].splitlines()[0]
            raise RunError(f"{self._url} does not answer: {line}") from None


def _error_of(error: Any) -> DownlinkError:
    """The error in the extra information of a Flight error."""
    try:
        details = json.loads(error.extra_info)
        kind = ConfigError if details["usage"] else RunError
        return kind(details["error"])
    except (ValueError, KeyError, TypeError):
        return RunError(str(error).partition(". Detail:")[0])


class HttpTransport:
    """`url`: `http://HOST:PORT` or `https://`, with the path of the server if it has one."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, ticket: Mapping[str, Any]) -> pa.Table:
        return self.stream(ticket).read_all()

    def stream(self, ticket: Mapping[str, Any]) -> pa.RecordBatchReader:
        """The answer, which is in memory when it returns."""
        url = f"{self._url}/arrow?ticket={quote(json.dumps(ticket, separators=(',', ':')))}"
        try:
            with urlopen(Request(url, headers=self._headers), timeout=TIMEOUT_S) as answer:  # noqa: S310 - opened() checks
                return pa.ipc.open_stream(answer.read())
        except HTTPError as error:
            raise self._refusal(error) from None
        # ValueError: no URL, or an answer that is no Arrow stream
        except (URLError, OSError, ValueError, HTTPException) as error:
            line = str(getattr(error, "reason", "") or error).splitlines()
            raise RunError(f"{self._url} does not answer: {line[0] if line else 'nothing came'}") from None

    def close(self) -> None:
        """No-op: each call has its own connection."""

    def _refusal(self, error: HTTPError) -> DownlinkError:
        if error.code == 401:
            return ConfigError(f"{self._url}: the token in {TOKEN} is needed")
        try:
            text = str(json.loads(error.read())["error"])
        except (ValueError, KeyError, TypeError, OSError):
            return RunError(f"{self._url} is no served history: HTTP status {error.code}")
        return ConfigError(text) if error.code == 400 else RunError(text)

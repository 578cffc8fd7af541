"""Convert products to Arrow tables of rows: fixed columns first, then a column for each parameter or product array.

In: products of one kind and schema, with the fields of their packets. Out: one table, rows in the order of the
products. An array with a value for each row is a column, one with several values a column of lists, as are values of
different lengths. An array of the whole product (such as an axis) is in its first row, a scalar of it in every row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..model.batches import GENERIC_INSTRUMENT, NO_TIME, Product
from ..model.quantities import Quantities
from .names import column_of, kind_of

Array = NDArray[Any]
_TIMES = frozenset({"time_onboard_ns", "time_utc_ns"})
_NS = pa.timestamp("ns", tz="UTC")
_TEXT = pa.dictionary(pa.int32(), pa.string())
FIXED_FIELDS = (
    ("time", _NS, "onboard time as UTC"),
    ("onboard_ns", pa.int64(), "onboard time, nanoseconds since the epoch of the mission"),
    (
        "received",
        _NS,
        "UTC of reception on Earth; of a product of several packets that of the last, where not known",
    ),
    ("quality", pa.uint32(), "quality bits"),
    ("stream", _TEXT, "live station or replay"),
    ("pass", _TEXT, "recorded pass"),
    ("apid", pa.uint16(), "application process identifier; of a product of several the first"),
    ("seq_count", pa.uint16(), "packet sequence count; of a product of several packets a row the first"),
    ("product_id", _TEXT, "the product that the row is of"),
)


@dataclass(frozen=True, slots=True)
class PacketFields:
    """Packet fields of each row of a product: `received_ns` int64[n], 0 unknown; `seq_count` int32[n], -1 unknown."""

    received_ns: Array
    seq_count: Array


@dataclass(frozen=True, slots=True)
class Entry:
    """A product with its key in the history (dedup), its pass, and the fields of its packets."""

    product: Product
    key: str
    pass_name: str
    packets: PacketFields | None = None

    @property
    def n_rows(self) -> int:
        return max(len(self.product.quality), 1)

    @property
    def kind(self) -> str:
        return kind_of(self.product.instrument, self.product.product)


def version_of(lineage: Mapping[str, Any]) -> str:
    """Version of products, 12 hexadecimal digits: hash of software, dictionary, calibrations and clock correlation.

    `lineage`: of a product, or that of a mission with `clock_correlation` added.
    """
    made = [
        lineage.get(key)
        for key in ("software", "dictionary_sha256", "calibration_sha256", "clock_correlation", "simulated")
    ]
    return hashlib.blake2b(json.dumps(made, sort_keys=True, default=str).encode(), digest_size=6).hexdigest()


def form_key(product: Product) -> tuple[Any, ...]:
    """Key of products that fit into one table: kind, and name, type, unit and inner shape of each array."""
    arrays = Quantities.of(product.arrays)
    n = len(product.quality)
    inner = tuple((one.dtype.kind, one.dtype.itemsize, _by_row(one, arrays.metadata.arrays[name][2], n), one.shape[1:])
                  for name, one in arrays.arrays.items())  # fmt: skip
    return product.instrument, product.product, arrays.metadata, inner  # the object itself: its id() may be reused


def table_of(entries: Sequence[Entry]) -> pa.Table:
    """One table of products whose `form_key` is equal."""
    first = entries[0].product
    counts = np.array([one.n_rows for one in entries])
    columns: dict[str, Any] = _fixed(entries, counts)
    fields = [pa.field(name, kind, metadata={"description": text}) for name, kind, text in FIXED_FIELDS]
    metadata = Quantities.of(first.arrays).metadata.arrays
    ragged = _ragged(first)
    parts = {f"{name}.{part}" for name in ragged for part in ("start", "length")}
    for name in first.arrays:
        if name in _TIMES or name in parts:
            continue
        unit, description, dims = metadata[name]
        values = _arrays(entries, name)
        lengths = _arrays(entries, f"{name}.length") if name in ragged else None
        column = _column(values, dims, counts, lengths, n_quality=len(first.quality))
        words = {"parameter": name, "unit": unit, "description": description, "dims": " ".join(dims)}
        fields.append(pa.field(column_of(name), column.type, metadata={k: v for k, v in words.items() if v}))
        columns[column_of(name)] = column
    schema = pa.schema(fields, metadata=_metadata(first))
    return pa.table(list(columns.values()), schema=schema)


def _arrays(entries: Sequence[Entry], name: str) -> list[Array]:
    return [np.asarray(Quantities.of(one.product.arrays).arrays[name]) for one in entries]


def _metadata(product: Product) -> dict[str, str]:
    lineage = product.lineage
    known = {
        "kind": kind_of(product.instrument, product.product),
        "mission": product.mission,
        "instrument": product.instrument,
        "product": product.product,
        "container": lineage.get("container"),
        "level": product.level,
        "dictionary_sha256": lineage.get("dictionary_sha256"),
        "clock_correlation": lineage.get("clock_correlation"),
        "software": lineage.get("software"),
        "simulated": str(lineage.get("simulated", False)).lower(),
    }
    return {key: str(value) for key, value in known.items() if value}


def _fixed(entries: Sequence[Entry], counts: Array) -> dict[str, Any]:
    utc, onboard = _times(entries, "time_utc_ns", 0), _times(entries, "time_onboard_ns", 1)
    packets = [packet_fields(one) for one in entries]
    received = np.concatenate([one.received_ns for one in packets])
    seq = np.concatenate([one.seq_count for one in packets])
    quality = np.concatenate([one.product.quality if len(one.product.quality) else [0] for one in entries])
    apids = [(one.product.lineage.get("apid") or [-1])[0] for one in entries]
    apid = np.repeat(np.array(apids, np.int64), counts)
    return {
        "time": _nullable(utc, utc == NO_TIME, pa.int64()).cast(_NS),
        "onboard_ns": _nullable(onboard, onboard == NO_TIME, pa.int64()),
        "received": _nullable(received, received == 0, pa.int64()).cast(_NS),
        "quality": pa.array(quality.astype(np.uint32)),
        "stream": _words([one.product.stream for one in entries], counts),
        "pass": _words([one.pass_name for one in entries], counts),
        "apid": _nullable(np.maximum(apid, 0).astype(np.uint16), apid < 0, pa.uint16()),
        "seq_count": _nullable(np.maximum(seq, 0).astype(np.uint16), seq < 0, pa.uint16()),
        "product_id": _words([one.key for one in entries], counts),
    }


def _times(entries: Sequence[Entry], name: str, clock: int) -> Array:
    """Times of rows, int64[n]; the first time of the product where it has no rows."""
    found = []
    for one in entries:
        arrays = Quantities.of(one.product.arrays).arrays
        has_rows = name in arrays and len(one.product.quality) == len(arrays[name])
        own = (one.product.time.utc_ns, one.product.time.onboard_ns)[clock]
        found.append(
            np.asarray(arrays[name], np.int64) if has_rows and len(arrays[name]) else
            np.full(one.n_rows, own[0] if own else NO_TIME, np.int64)
        )  # fmt: skip
    return np.concatenate(found)


def packet_fields(entry: Entry) -> PacketFields:
    """The packet fields of the rows of a product, as far as they are known.

    Sequence counts are interpolated from the first and the last one if there is a packet for each row and no gap. A
    product of one packet has one count and one receive time.
    """
    if entry.packets is not None:
        return entry.packets
    lineage, n = entry.product.lineage, entry.n_rows
    received = int((lineage.get("received_ns") or [0])[-1])
    seq = np.full(n, -1, np.int32)
    counts = lineage.get("seq_count") or []
    if counts:
        first, last = int(counts[0]), int(counts[-1])
        n_packets = int(lineage.get("n_packets") or 0)
        consecutive = len(lineage.get("apid") or []) == 1 and (last - first) % 16384 == (n_packets - 1) % 16384
        if n_packets == n and consecutive:
            seq = ((first + np.arange(n)) % 16384).astype(np.int32)
        elif entry.product.instrument != GENERIC_INSTRUMENT or n_packets == 1:
            seq[:] = first
    return PacketFields(np.full(n, received, np.int64), seq)


def _words(words: Sequence[str], counts: Array) -> Any:
    texts, codes = np.unique(np.array(words, dtype=object), return_inverse=True)
    indices = pa.array(np.repeat(codes, counts).astype(np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts.tolist(), pa.string()))


def _nullable(values: Array, absent: Array, kind: Any) -> Any:
    return pa.array(values, kind, mask=absent if absent.any() else None)


def _by_row(values: Array, dims: Sequence[str], n: int) -> bool:
    return tuple(dims[:1]) == ("row",) and n > 0 and len(values) == n


def _ragged(product: Product) -> set[str]:
    """Names of arrays whose rows differ in length: NAME beside NAME.start and NAME.length."""
    names = set(product.arrays)
    return {name for name in names if {f"{name}.start", f"{name}.length"} <= names and len(product.quality)}


def _column(
    values: Sequence[Array], dims: Sequence[str], counts: Array, lengths: Sequence[Array] | None, *, n_quality: int
) -> Any:
    if lengths is not None:
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), _nested(np.concatenate(values), in_list=True))
    if _by_row(values[0], dims, n_quality):
        return _nested(np.concatenate(values))
    if values[0].ndim == 0:
        return _nested(np.repeat(np.array(values), counts))
    return _first_rows(values, counts)


def _first_rows(values: Sequence[Array], counts: Array) -> Any:
    """A column with a list in the first row of each product, and null in the others."""
    sizes = np.zeros(int(counts.sum()), np.int64)
    starts = np.cumsum(counts) - counts
    sizes[starts] = [len(one) for one in values]
    absent = np.ones(len(sizes), np.bool_)
    absent[starts] = False
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), _nested(np.concatenate(values), in_list=True), mask=pa.array(absent)
    )


def _nested(values: Array, *, in_list: bool = False) -> Any:
    """An array of rows; lists in lists for further axes."""
    column = _flat(values.reshape(-1), in_list=in_list or values.ndim > 1)
    for axis in range(values.ndim - 1, 0, -1):
        n = int(np.prod(values.shape[:axis]))
        offsets = np.arange(n + 1, dtype=np.int32) * np.int32(values.shape[axis])
        column = pa.ListArray.from_arrays(pa.array(offsets), column)
    return column


def _flat(values: Array, *, in_list: bool) -> Any:
    if values.dtype.kind in "US":
        texts = pa.array(values if values.dtype.itemsize else values.astype(values.dtype.str[:2] + "1"))
        return texts if in_list or values.dtype.kind == "S" else texts.dictionary_encode()
    if values.dtype.kind == "c":
        pairs = np.ascontiguousarray(values).view(values.real.dtype).reshape(-1, 2)
        return _nested(pairs)
    if values.dtype == np.float16:  # DuckDB and others do not read float16
        values = values.astype(np.float32)
    return pa.array(np.ascontiguousarray(values))


def merged(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of one schema as one."""
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).unify_dictionaries()


def axis_ns(table: pa.Table) -> Array:
    """Sort key of rows: time, else receive time, else NO_TIME; int64[n], ns since 1970 UTC."""
    axis = pc.coalesce(table["time"], table["received"]).cast(pa.int64())
    return np.asarray(pc.fill_null(axis, NO_TIME).to_numpy())

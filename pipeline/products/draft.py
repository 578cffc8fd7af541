"""Makes products of drafts: adds the id, the times on every clock and the lineage.

The id is a digest of stream, instrument, product, first and last onboard time, APIDs and sequence counts: the same
packets give the same id whenever they are processed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, ColumnBatch, Product, Quality, Quantity
from ..model.carrier import carrier
from ..model.quantities import ArrayMetadata, Quantities
from ..model.reductions import count_equal, extent
from .context import Context
from .frames import frames_of
from .kinds import ProductKind, quantities
from .times import NO_TIMES, ProductTimes, product_times
from .uncertainty import KEY as UNCERTAINTY
from .uncertainty import UNKNOWN, uncertainty

LEVEL_WORDS = {
    "0A": "Raw",
    "0B": "Raw",
    "01": "Partially Processed",
    "2A": "Calibrated",
    "2B": "Calibrated",
    "2C": "Derived",
}
"""`processing_level` of PDS4 for each processing level."""
_U2 = np.dtype("<u2")
_CORRECTED, _AFTER_GAP = np.uint32(Quality.CORRECTED), np.uint32(Quality.AFTER_GAP)
_TIMES = {
    "time_onboard_ns": ("ns", "onboard clock since the mission epoch", ("row",)),
    "time_utc_ns": ("ns", "UTC since 1970-01-01, as Unix time counts", ("row",)),
}


@carrier
class Draft:
    """Output of an instrument for one group of rows; n: rows of the product.

    `kind`: declares name, level, units, axes and types. `packets`: the decoded packets that it was made from.
    `time_ns int64[n]`: onboard time. `arrays`: by the names of the kind, with their axes (`row` has length n); a
    `Quantity` in place of an array has its own description. `quality uint32[n]`: bits of `Quality`. `lineage`: entries
    of this product only; `uncertainty` in it: the reason why it has none.
    """

    kind: ProductKind
    packets: ColumnBatch
    time_ns: NDArray[np.int64]
    arrays: Mapping[str, NDArray[Any] | Quantity]
    quality: NDArray[np.uint32]
    lineage: Mapping[str, Any] = field(default_factory=dict)


class Made(NamedTuple):
    """A draft with its instrument (by topic level), the context and the lineage of that instrument."""

    draft: Draft
    instrument: str
    context: Context
    lineage: Mapping[str, Any]


def finish(made: Sequence[Made]) -> list[Product]:
    """Make the products of drafts, in order. Times are computed for all drafts of one context together.

    Raises KeyError for an array that the kind does not declare, TypeError for values that its type cannot hold.
    """
    contexts = {id(one.context): one.context for one in made}
    if len(contexts) == 1:
        found = product_times([one.draft.time_ns for one in made], made[0].context)
        return list(map(_product, made, found))
    times: list[ProductTimes] = [NO_TIMES] * len(made)
    for context in contexts.values():
        mine = [i for i, one in enumerate(made) if one.context is context]
        for i, own in zip(mine, product_times([made[i].draft.time_ns for i in mine], context), strict=True):
            times[i] = own
    return list(map(_product, made, times))


def _product(made: Made, times: ProductTimes) -> Product:
    draft, instrument, context, lineage = made
    kind, own = draft.kind, draft.lineage
    typed_arrays = quantities(kind, draft.arrays)
    words = _words_of(typed_arrays.metadata, context, own.get(UNCERTAINTY) or lineage.get(UNCERTAINTY) or UNKNOWN)
    origin = _origin(draft, instrument, context, times.sigma_s)
    merged = {**context.lineage, **lineage, **origin, **own}
    if frames := {**words.frames, **own.get("frames", {})}:
        merged["frames"] = frames
    merged[UNCERTAINTY] = words.uncertainty
    return Product(
        id=product_id(context.stream, instrument, kind.name, draft.time_ns, draft.packets),
        mission=context.mission,
        stream=context.stream,
        instrument=instrument,
        product=kind.name,
        level=kind.level,
        time=times.range,
        arrays=_timed(typed_arrays, draft.time_ns, times.utc_ns, words.timed),
        quality=draft.quality,
        lineage=merged,
        latest=kind.latest,
    )


class _Words(NamedTuple):
    """Derived from the metadata of a product's arrays: the metadata with the times of rows first, descriptions of
    reference frames and uncertainties.
    """

    timed: ArrayMetadata
    frames: Mapping[str, str]
    uncertainty: str


def _words_of(metadata: ArrayMetadata, context: Context, without: str) -> _Words:
    """`without`: the reason to give if no array has an uncertainty."""
    site, frames = context.site, context.frames

    def make() -> _Words:
        timed = ArrayMetadata({**_TIMES, **metadata.arrays})
        return _Words(timed, frames_of(metadata, site, frames), uncertainty(metadata, without))

    return metadata.once(("product", site, frames, without), make)


def split(draft: Draft, groups: Sequence[ColumnBatch]) -> Iterator[Draft]:
    """Split a draft of adjacent groups into one of each group; the arrays are views.

    The number of rows of the draft must be a multiple of the number of packets: each packet has as many.
    """
    typed_arrays = quantities(draft.kind, draft.arrays)
    arrays, metadata = typed_arrays.arrays, typed_arrays.metadata
    has_rows = [(name, values, metadata.arrays[name][2][:1] == ("row",)) for name, values in arrays.items()]
    each, start = len(draft.time_ns) // sum(map(len, groups)), 0
    for group in groups:
        rows = slice(start, start + each * len(group))
        start = rows.stop
        split_arrays = Quantities({name: one[rows] if has else one for name, one, has in has_rows}, metadata)
        yield Draft(draft.kind, group, draft.time_ns[rows], split_arrays, draft.quality[rows], draft.lineage)


def _timed(
    typed_arrays: Quantities, time_ns: NDArray[np.int64], utc_ns: NDArray[np.int64], metadata: ArrayMetadata
) -> Quantities:
    """Prepend the times of rows to the arrays."""
    times = {"time_onboard_ns": np.asarray(time_ns, np.int64), "time_utc_ns": utc_ns}
    return Quantities({**times, **typed_arrays.arrays}, metadata)


def product_id(stream: str, instrument: str, product: str, time_ns: NDArray[np.int64], packets: ColumnBatch) -> str:
    """Make the id `<instrument>-<product>-<16 hex digits>`, the same for the same packets.

    Sequence counts wrap: blocks without onboard time differ by receive time, and without that by packet order.
    """
    span = [int(time_ns[0]), int(time_ns[-1])] if len(time_ns) else []
    if len(packets.order) and span[:1] in ([], [NO_TIME]):
        span += [int(packets.received_ns[0] or packets.order[0])]
    identity = "\0".join([stream, instrument, product, *map(str, span), ""]).encode()
    counts = np.asarray(packets.apid, _U2).tobytes() + np.asarray(packets.seq_count, _U2).tobytes()
    digest = hashlib.blake2b(identity + counts, digest_size=8).hexdigest()
    return f"{instrument}-{product}-{digest}"


def flag(where: NDArray[np.bool_], bit: Quality) -> NDArray[np.uint32]:
    """Quality bits of rows: `bit` where `where` is true, else 0. Same shape, uint32."""
    return np.multiply(where, np.uint32(bit), dtype=np.uint32)


def any_beyond_row(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether any element of each row is true: bool[n, ...] to bool[n]."""
    return np.asarray(where.reshape(len(where), -1).any(axis=1)) if where.size else np.zeros(len(where), np.bool_)


def column_quantity(packets: ColumnBatch, column: str, unit: str = "", description: str = "") -> Quantity:
    """A column as a quantity. `unit`: default: that of the dictionary. Raises KeyError if there is no such column."""
    values = np.asarray(packets.columns[column])
    dims = ("row", *(f"{column.lower()}_{axis}" for axis in range(1, values.ndim)))
    return Quantity(values, unit or packets.units.get(column, ""), description, dims)


def distinct(values: NDArray[np.uint16]) -> list[int]:
    """The different values in ascending order."""
    if len(values) and count_equal(values, first := values.item(0)) == len(values):
        return [first]  # nearly always, and np.unique is slow
    return [int(value) for value in np.unique(values)]


def _origin(draft: Draft, instrument: str, context: Context, sigma_s: float | None) -> dict[str, Any]:
    packets = draft.packets
    counts, received_ns, n = packets.seq_count, packets.received_ns, len(packets.order)
    n_corrected, n_gaps = _n_flagged(packets.quality)
    level = draft.kind.level
    origin: dict[str, Any] = {
        "stream": context.stream,
        "instrument": instrument,
        "container": packets.container,
        "apid": distinct(packets.apid),
        "n_packets": n,
        "n_packets_corrected": n_corrected,
        "n_gaps": n_gaps,
        "seq_count": [int(counts[0]), int(counts[-1])] if n else [],
        "level_gras": level,
        "level_pds4": LEVEL_WORDS.get(level, ""),
    }
    if n and received_ns[0]:
        origin["received_ns"] = [*extent(received_ns)]
    if context.site:
        origin |= {"site": context.site.name, "site_frame": context.site.frame}
    origin["clock_correlation"] = context.clock.correlation_id
    if sigma_s is not None:
        origin["clock_sigma_s"] = sigma_s
    return origin


def _n_flagged(quality: NDArray[np.uint32]) -> tuple[int, int]:
    """Number of packets from corrected frames, and of those after a gap."""
    if not np.count_nonzero(quality):
        return 0, 0
    return int(np.count_nonzero(quality & _CORRECTED)), int(np.count_nonzero(quality & _AFTER_GAP))

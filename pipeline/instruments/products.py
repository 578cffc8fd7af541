"""Arrays of one group of rows become a `Product`: its id, its times on every clock, its lineage.

The id is made from what is in it (stream, instrument, product, first and last onboard time, APID, sequence counts):
the same packets give the same id whenever they are processed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import NO_TIME, ColumnBatch, Product, Quality, Quantity, TimeRange
from pipeline.clock.mars import mars_time
from pipeline.instruments.context import Context
from pipeline.instruments.frames import frames_of

LEVEL_WORDS = {
    "0A": "Raw",
    "0B": "Raw",
    "01": "Partially Processed",
    "2A": "Calibrated",
    "2B": "Calibrated",
    "2C": "Derived",
}
"""GRAS levels in the words of NASA: `processing_level` of PDS4."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What an instrument made of the rows of one group; all arrays with n rows first, unless their dims say else.

    `packets`: the rows that it was made of. `time_ns int64[n]`: onboard time. `quality uint32[n]`: of `Quality`.
    `lineage`: what only this product has to say.
    """

    product: str
    level: str
    packets: ColumnBatch
    time_ns: NDArray[np.int64]
    arrays: Mapping[str, Quantity]
    quality: NDArray[np.uint32]
    latest: tuple[str, ...] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)


def finish(draft: Draft, instrument: str, context: Context, lineage: Mapping[str, Any]) -> Product:
    """The product, with an id, time arrays and what `context` and the instrument know of its origin."""
    time_ns = draft.time_ns
    utc_ns = context.clock.utc_ns(time_ns)
    return Product(
        id=product_id(context.stream, instrument, draft.product, time_ns, draft.packets),
        mission=context.mission,
        stream=context.stream,
        instrument=instrument,
        product=draft.product,
        level=draft.level,
        time=time_range(time_ns, context),
        arrays={
            "time_onboard_ns": Quantity(time_ns, "ns", "onboard clock since the mission epoch"),
            "time_utc_ns": Quantity(utc_ns, "ns", "UTC since 1970-01-01, as Unix time counts"),
            **draft.arrays,
        },
        quality=draft.quality,
        lineage={
            **context.lineage,
            **lineage,
            **_origin(draft, instrument, context),
            **draft.lineage,
            **_frames(draft, context),
        },
        latest=draft.latest,
    )


def product_id(stream: str, instrument: str, product: str, time_ns: NDArray[np.int64], packets: ColumnBatch) -> str:
    """`<instrument>-<product>-<16 hex digits>`, the same for the same packets.

    Sequence counts wrap: without onboard time, receive time tells two blocks apart, and without that their order.
    """
    span = [int(t) for t in (time_ns[[0, -1]] if len(time_ns) else ())]
    if len(packets) and span[:1] in ([], [NO_TIME]):
        span += [int(packets.received_ns[0] or packets.order[0])]
    told = "\0".join([stream, instrument, product, *map(str, span), ""]).encode()
    counts = np.stack([packets.apid, packets.seq_count]).astype("<u2").tobytes()
    digest = hashlib.blake2b(told + counts, digest_size=8).hexdigest()
    return f"{instrument}-{product}-{digest}"


def time_range(time_ns: NDArray[np.int64], context: Context) -> TimeRange:
    """First and last onboard time on each clock; NO_TIME where no row has one, Mars times where there is a site."""
    known = time_ns[time_ns != NO_TIME]
    if not len(known):
        return TimeRange((NO_TIME, NO_TIME), (NO_TIME, NO_TIME))
    ends = np.array([known.min(), known.max()])
    utc = context.clock.utc_ns(ends)
    onboard_ns, utc_ns = (int(ends[0]), int(ends[1])), (int(utc[0]), int(utc[1]))
    if context.site is None:
        return TimeRange(onboard_ns, utc_ns)
    mars = mars_time(utc, context.site.longitude_deg, context.site.sol_offset)
    return TimeRange(
        onboard_ns,
        utc_ns,
        sol=(int(mars.sol[0]), int(mars.sol[1])),
        lmst_h=(float(mars.lmst_h[0]), float(mars.lmst_h[1])),
        ltst_h=(float(mars.ltst_h[0]), float(mars.ltst_h[1])),
        ls_deg=(float(mars.ls_deg[0]), float(mars.ls_deg[1])),
    )


def flag(where: NDArray[np.bool_], bit: Quality) -> NDArray[np.uint32]:
    """The bit where `where` holds, 0 elsewhere."""
    return np.where(where, np.uint32(bit), np.uint32(0)).astype(np.uint32)


def any_beyond_row(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether it holds anywhere in each row: bool[n, ...] to bool[n]."""
    return np.asarray(where.reshape(len(where), -1).any(axis=1)) if where.size else np.zeros(len(where), np.bool_)


def column_quantity(packets: ColumnBatch, column: str, unit: str = "", description: str = "") -> Quantity:
    """A column as it is, with the dictionary's unit where none is given."""
    values = np.asarray(packets.columns[column])
    dims = ("row", *(f"{column.lower()}_{axis}" for axis in range(1, values.ndim)))
    return Quantity(values, unit or packets.units.get(column, ""), description, dims)


def distinct(values: NDArray[np.uint16]) -> list[int]:
    """The different values in ascending order."""
    one = len(values) > 0 and bool((values == values[0]).all())  # nearly always, and np.unique is slow
    return [int(values[0])] if one else np.unique(values).tolist()


def _origin(draft: Draft, instrument: str, context: Context) -> dict[str, Any]:
    packets = draft.packets
    origin: dict[str, Any] = {
        "stream": context.stream,
        "instrument": instrument,
        "container": packets.container,
        "apid": distinct(packets.apid),
        "n_packets": len(packets),
        "n_packets_corrected": _n_flagged(packets, Quality.CORRECTED),
        "n_gaps": _n_flagged(packets, Quality.AFTER_GAP),
        "seq_count": [int(c) for c in packets.seq_count[[0, -1]]] if len(packets) else [],
        "level_gras": draft.level,
        "level_pds4": LEVEL_WORDS.get(draft.level, ""),
    }
    if len(packets) and packets.received_ns[0]:
        origin["received_ns"] = [int(packets.received_ns.min()), int(packets.received_ns.max())]
    if context.site:
        origin |= {"site": context.site.name, "site_frame": context.site.frame}
    return {**origin, "clock_correlation": context.clock.correlation_id, **_clock_sigma(draft.time_ns, context)}


def _frames(draft: Draft, context: Context) -> dict[str, Any]:
    """Every frame that the arrays speak of; what the instrument says of its own goes before."""
    frames = frames_of(draft.arrays, context.site) | dict(draft.lineage.get("frames", {}))
    return {"frames": frames} if frames else {}


def _clock_sigma(time_ns: NDArray[np.int64], context: Context) -> dict[str, float]:
    """One sigma of the UTC of a product, the largest of its rows; nothing where there is no correlation."""
    known = time_ns[time_ns != NO_TIME]
    if not context.clock.segments or not len(known):
        return {}
    ends = np.array([known.min(), known.max()])
    return {"clock_sigma_s": float(context.clock.sigma_ns(ends).max()) / 1e9}


def _n_flagged(packets: ColumnBatch, bit: Quality) -> int:
    return int(((packets.quality & np.uint32(bit)) != 0).sum())

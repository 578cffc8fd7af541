"""Quick-looks: a picture of a collection, PNG. Its panels are chosen here, and drawn by `pictures`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..model.batches import NO_TIME
from ..pictures.generic import NOTHING
from ..pictures.page import page
from ..pictures.panels import panel_of
from ..pictures.style import escape_dollars
from ..system.files import whole_path
from .collection import Collection, Origin
from .netcdf_attributes import iso
from .provenance import notes
from .quicklook_views import Quicklook, quicklook_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 130
_SIZE_INCHES = (1000 / _DPI, 700 / _DPI)
_MARGINS = {"left": 0.09, "bottom": 0.105, "top": 0.86, "hspace": 0.4, "wspace": 0.3}


def write_quicklook(path: Path, collection: Collection, origin: Origin) -> None:
    """Write the picture, atomically. Raises RunError if it cannot be written. Needs Matplotlib."""
    about = {"Title": path.stem, "Source": ", ".join(origin.recordings), "Software": None}
    about |= {key.replace("_", " ").capitalize(): one for key, one in notes(collection, origin).items()}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Matplotlib warns of unusual axes, which noise can cause
        look = quicklook_of(collection)
        panels = panels_of(look)
        drawn = page(
            _SIZE_INCHES,
            panels,
            1 if look.share_x else len(panels),
            title=escape_dollars(_title(collection, origin)),
            notes=look.note,
            share_x=look.share_x,
            margins={**_MARGINS, "right": 0.97 if look.share_x else 0.91},
        )
        with drawn as figure, whole_path(path) as part:
            figure.savefig(part, format="png", dpi=_DPI, metadata=about)


def panels_of(look: Quicklook) -> list[tuple[str, Callable[[Axes], None]]]:
    """Titles and functions of the panels; one without views says how many rows there are."""
    return [panel.of(look.series) for panel in map(panel_of, look.views)] or [NOTHING.of(look.series)]


def _title(collection: Collection, origin: Origin) -> str:
    start = iso(collection.start_ns, "s") if collection.start_ns != NO_TIME else "time unknown"
    sol = f", sol {int(collection.start_local['sol'])}" if "sol" in collection.start_local else ""
    what = f"{origin.mission} {collection.instrument}/{collection.product}, level {collection.level}"
    what += ", SIMULATED" if origin.simulated else ""
    return f"{what}\nfrom {start}{sol}, {sum(collection.n_rows):,} rows, {', '.join(origin.recordings)}"

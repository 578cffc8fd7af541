"""What MSCam and NaTeCam share: stripes collected into images, each image given once, its attitude looked up.

In: rows of one image container. Out: what `image` makes of the rows of one image, and `rejected` for stripes whose
header makes no sense or that repeat an image which is closed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch
from ....products.context import Context
from ....products.draft import Draft
from ....products.kinds import ProductKind
from .attitude import Navigation, with_attitude
from .images import ImageCollector, is_sound, rejected, whole
from .on_rover import OnRover


class StripeCamera(OnRover):
    """State: the images whose stripes are still coming. `rejected`: the kind of stripes that are of no image."""

    rejected: ClassVar[ProductKind]

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._collector = ImageCollector()

    def attach(self, rows: ColumnBatch, navigation: Navigation, until: NDArray[np.int64]) -> ColumnBatch:
        return with_attitude(rows, rows.time_ns[:, None], navigation, until)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        """Of one stripe."""
        known = whole(rows, "CAMERA") in self.cameras()
        if not known or not is_sound(rows) or self._collector.is_late(rows):
            yield rejected(self.rejected, rows)
            return
        for image in self._collector.collect(rows):
            yield from self.image(image)

    def copy_views(self) -> None:
        self._collector.copy_views()

    def end(self) -> Iterator[Draft]:
        for image in self._collector.rest():
            yield from self.image(image)

    @abstractmethod
    def cameras(self) -> Mapping[int, Any]:
        """Codes of CAMERA that there are."""

    @abstractmethod
    def image(self, rows: ColumnBatch) -> Iterator[Draft]:
        """Products of the rows of one image."""

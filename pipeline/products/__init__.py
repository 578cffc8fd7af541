"""Columns become products: what an instrument is, what it publishes, and the suite that runs all of a stream."""

from .context import Context, Site
from .instrument import Instrument
from .kinds import ProductKind
from .suite import Suite

__all__ = ["Context", "Instrument", "ProductKind", "Site", "Suite"]

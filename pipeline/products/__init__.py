"""From decoded columns to products: the interface of an instrument, product kinds, the suite that runs a stream."""

from .context import Context, Site
from .instrument import Instrument
from .kinds import ProductKind
from .suite import Suite

__all__ = ["Context", "Instrument", "ProductKind", "Site", "Suite"]

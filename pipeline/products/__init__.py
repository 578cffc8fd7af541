"""Columns become products: one small file for each instrument, one register by hand, one suite that runs them."""

from .context import Context, Site
from .register import REGISTER, check_calibration, family, load_libraries
from .suite import Suite

__all__ = ["REGISTER", "Context", "Site", "Suite", "check_calibration", "family", "load_libraries"]

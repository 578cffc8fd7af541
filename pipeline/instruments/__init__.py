"""Columns become products: one small file for each instrument, one register by hand, one suite that runs them."""

from pipeline.instruments.context import Context, Site
from pipeline.instruments.register import REGISTER, check_calibration, family, load_libraries
from pipeline.instruments.suite import Suite

__all__ = ["REGISTER", "Context", "Site", "Suite", "check_calibration", "family", "load_libraries"]

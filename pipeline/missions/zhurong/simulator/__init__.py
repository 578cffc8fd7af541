"""An orbiter and a rover that know nothing of the decoder."""

from __future__ import annotations

from .campaign import Campaign, pass_files, simulate_campaign
from .run import simulate
from .scenario import Faults, Scenario, Summary

__all__ = ["Campaign", "Faults", "Scenario", "Summary", "pass_files", "simulate", "simulate_campaign"]

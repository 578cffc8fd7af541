"""Simulated passes: the rover's measurements, the orbiter's link. It shares no code or constants with the decoder."""

from __future__ import annotations

from .campaign import Campaign, pass_files, simulate_campaign
from .run import simulate
from .scenario import Faults, Scenario, Summary

__all__ = ["Campaign", "Faults", "Scenario", "Summary", "pass_files", "simulate", "simulate_campaign"]

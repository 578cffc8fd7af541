"""An orbiter and a rover that know nothing of the decoder."""

from __future__ import annotations

from pipeline.simulate.campaign import Campaign, pass_files, simulate_campaign
from pipeline.simulate.run import simulate
from pipeline.simulate.scenario import Faults, Scenario, Summary

__all__ = ["Campaign", "Faults", "Scenario", "Summary", "pass_files", "simulate", "simulate_campaign"]

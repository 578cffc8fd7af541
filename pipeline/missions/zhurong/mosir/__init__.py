"""MOSIR, the orbiter's subsurface radar."""

"""Missions that come with the engine: found by their entry point, as any other mission package is."""

"""MEPA, the orbiter's energetic particle analyser."""

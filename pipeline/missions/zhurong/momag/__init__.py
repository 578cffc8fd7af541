"""MOMAG, the orbiter's magnetometer."""

"""Detects the link settings of a recording from its bytes alone."""

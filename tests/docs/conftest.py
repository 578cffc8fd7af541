"""A browser for pages of the examples."""

from javascript import chromium

__all__ = ["chromium"]

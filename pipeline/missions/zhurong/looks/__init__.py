"""Tabs of the live page that show several instruments together."""

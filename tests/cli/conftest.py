"""The command line, run as a person would run it."""

from command_line import downlink, inspect

__all__ = ["downlink", "inspect"]

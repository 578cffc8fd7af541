"""The command line as a person runs it, and a replay's messages beside JavaScript."""

from command_line import downlink, inspect
from javascript import node, replayed

__all__ = ["downlink", "inspect", "node", "replayed"]

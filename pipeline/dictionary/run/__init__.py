"""The steps of a plan, executed over many packets at once."""

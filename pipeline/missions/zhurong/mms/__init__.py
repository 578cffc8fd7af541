"""Mars magnetosphere signals."""

"""The orbiter itself."""

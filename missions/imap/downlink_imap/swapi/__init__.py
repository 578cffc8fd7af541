"""SWAPI, the solar wind and pickup ion instrument: counts in energy sweeps, housekeeping."""

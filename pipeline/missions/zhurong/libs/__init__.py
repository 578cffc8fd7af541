"""Laser-induced breakdown spectrometer of MarSCoDe."""

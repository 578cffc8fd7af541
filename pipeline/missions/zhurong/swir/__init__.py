"""Short-wave infrared spectrometer of MarSCoDe."""

"""MAG, the magnetometers: MAGo at the end of the boom, MAGi half way."""

"""SPICE kernels: where the rover was and where it looked."""

"""MoRIC, the orbiter's medium resolution camera."""

"""HiRIC, the orbiter's high resolution camera."""

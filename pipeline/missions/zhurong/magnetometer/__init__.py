"""The two magnetometers on the mast."""

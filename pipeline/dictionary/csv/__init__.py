"""Packet definitions as CSV, in ccsdspy's form, to the model."""

"""HIT, the high energy ion telescope: housekeeping."""

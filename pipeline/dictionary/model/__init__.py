"""A dictionary as it is read: containers, parameters, encodings, conditions, without a bit of data."""

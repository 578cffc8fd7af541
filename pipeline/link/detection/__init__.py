"""What link a recording is of, found out from its bytes alone."""

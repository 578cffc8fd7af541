"""What the bytes of a link may be wrapped in: KISS, captures of UDP packets, symbols that are not packed."""

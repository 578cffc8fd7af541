"""Containers around the bytes of a link: KISS, captures of UDP packets, symbols that are not packed."""

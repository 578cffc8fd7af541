"""Channel coding: frame sync, randomiser, Reed-Solomon, frame CRC (CCSDS 131.0-B)."""

"""XTCE (CCSDS 660.1-G, OMG 1.2 and 1.3) to the model."""

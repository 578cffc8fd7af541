"""The chain of pure rooms, joined; passes; quarantine."""

"""The processing chain, runs of a stream, recorded passes as batches, quarantine."""

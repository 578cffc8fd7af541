"""MINPA, the orbiter's ion and neutral particle analyser."""

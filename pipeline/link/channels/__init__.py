"""Virtual channels: frame counts, gaps, merging of stations."""

"""Files, signals, allocator settings, TLS, certificates."""

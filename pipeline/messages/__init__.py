"""Topic names and payloads, pure."""

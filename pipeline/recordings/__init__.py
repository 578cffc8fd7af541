"""The durable log of received bytes, and recorded passes as files."""

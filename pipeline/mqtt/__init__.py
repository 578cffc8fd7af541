"""The broker's side: sessions, reconnect with backoff, resend, flow control, embedded brokers."""

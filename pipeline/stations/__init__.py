"""Where bytes come from: TCP, UDP, growing files, feed."""

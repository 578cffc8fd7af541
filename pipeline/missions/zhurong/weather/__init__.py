"""The weather station and its microphone."""

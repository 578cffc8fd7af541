"""The player (pace, pause, seek) in front of the decoding that the services run."""

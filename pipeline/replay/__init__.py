"""The player (pace, pause, seek) in front of the processing chain."""

"""The model to a plan of steps over columns; its checks and limits."""

"""`python -m pipeline` is `downlink`."""

from pipeline.cli import main

main()

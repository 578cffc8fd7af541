"""`python -m pipeline` is `downlink`."""

from pipeline.cli import main

if __name__ == "__main__":  # a process that is spawned imports it too
    main()

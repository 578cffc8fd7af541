"""The command line: options, help, what is printed."""

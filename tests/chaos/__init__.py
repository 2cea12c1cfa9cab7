"""A long run in which everything dies: `python -m tests.chaos --help`."""

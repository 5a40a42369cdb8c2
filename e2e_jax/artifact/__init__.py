"""The ``.e2e`` file: what is in it, how it is written and read."""

"""The command `segue`."""

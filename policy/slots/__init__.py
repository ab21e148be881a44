"""Several actions at once: a list of slots, filled without replacement."""

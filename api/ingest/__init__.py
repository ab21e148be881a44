"""Wire formats of other systems, parsed into events."""

"""Visitors grouped into segments that keep their names from one fit to the next."""

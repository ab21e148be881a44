"""Behaviour as it happens: against the visitor's own past, and the population's."""

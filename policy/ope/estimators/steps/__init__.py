"""Estimators of what a policy earns over several steps of one visitor."""

"""Estimators of what a policy earns with lists of several slots."""

"""Estimators of what prices, or other numbers out of a range, earn."""

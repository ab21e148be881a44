"""Evaluation of prices: logs of prices out of a range, and who would have drawn others."""

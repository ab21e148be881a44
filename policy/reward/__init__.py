"""Rewards: what a placement counts as success."""

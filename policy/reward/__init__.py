"""Rewards: what a placement counts as success, and what is left of it after refunds."""

"""Off-policy evaluation: coverage, error, false promotions, and speed."""

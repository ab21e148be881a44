"""Budgets over 200 simulated days, beside the best fixed threshold in hindsight."""

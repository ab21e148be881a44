"""Classification sets as one-pass bandit problems: our policies beside their peers."""

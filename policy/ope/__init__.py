"""Off-policy evaluation: what would another policy have earned, and how sure is that?"""

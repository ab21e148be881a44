"""`segue policies`: champion and challengers of a placement."""

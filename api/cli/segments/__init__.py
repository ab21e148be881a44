"""`segue segments`: what the segments are, who is in them, who moved and why."""

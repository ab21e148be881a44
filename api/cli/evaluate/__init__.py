"""`segue evaluate`: what policies would have earned, from the log."""

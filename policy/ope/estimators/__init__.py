"""One estimator a file, under its name in the literature."""

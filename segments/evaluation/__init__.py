"""Whether a segmentation is stable, well apart, and worth something."""

"""One file a family of features: what it keeps of a visitor and how it reads as numbers."""

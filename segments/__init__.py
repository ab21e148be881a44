"""Who is this visitor? Events become a profile, the profile features, a segment and a context."""

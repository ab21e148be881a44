"""Fitted models as plain arrays: what answers "which segment?" on the request path. numpy only."""

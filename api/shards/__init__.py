"""Offline work in parts, on this machine's cores or on Ray; never for a request."""

"""Webhooks: signed messages from others, and to them."""

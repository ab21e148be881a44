"""What can be offered."""

from policy.catalog.action import Action

__all__ = ["Action"]

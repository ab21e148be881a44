"""What can be offered."""

from policy.catalog.action import Action
from policy.catalog.catalog import Catalog

__all__ = ["Action", "Catalog"]

"""The Python client: decisions with a local default, rewards in the background.

It imports nothing else of the service, so that a shop's process loads only this.
"""

from api.client.asynchronous import AsyncSegue
from api.client.errors import RefusedError, SegueError, UnreachableError
from api.client.model import Decision, Reward
from api.client.sync import Segue

__all__ = [
    "AsyncSegue",
    "Decision",
    "RefusedError",
    "Reward",
    "Segue",
    "SegueError",
    "UnreachableError",
]

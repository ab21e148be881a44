"""What to do, and did it work? context -> action -> reward -> better policy."""

from policy.bandits.build import make_policy
from policy.base import Batch, Candidates, Policy, draw

__all__ = ["Batch", "Candidates", "Policy", "draw", "make_policy"]

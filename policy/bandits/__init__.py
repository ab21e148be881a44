"""Contextual bandits over one linear model."""

from policy.bandits.build import POLICY_KINDS, make_policy, policy_parameters
from policy.bandits.epsilon_greedy import EpsilonGreedy
from policy.bandits.lints import LinTS
from policy.bandits.linucb import LinUCB
from policy.bandits.squarecb import SquareCB

__all__ = [
    "POLICY_KINDS",
    "EpsilonGreedy",
    "LinTS",
    "LinUCB",
    "SquareCB",
    "make_policy",
    "policy_parameters",
]

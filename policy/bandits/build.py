"""A policy from the words of a configuration.

Where ``segue.toml`` meets the explorers.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from policy.bandits.bag import Bag
from policy.bandits.cover import Cover
from policy.bandits.default import Default
from policy.bandits.epsilon_greedy import EpsilonGreedy
from policy.bandits.linear_policy import LinearPolicy
from policy.bandits.lints import LinTS
from policy.bandits.linucb import LinUCB
from policy.bandits.logistic_ts import LogisticTS
from policy.bandits.neural_linear import NeuralLinear
from policy.bandits.regcb import RegCB
from policy.bandits.segmented import Segmented
from policy.bandits.softmax import Softmax
from policy.bandits.squarecb import SquareCB
from policy.errors import ParameterError, shown, suggestion

if TYPE_CHECKING:
    from policy.base import Policy

_POLICIES: dict[str, type[LinearPolicy]] = {
    policy.kind: policy
    for policy in (
        Bag,
        Cover,
        Default,
        EpsilonGreedy,
        LinTS,
        LinUCB,
        LogisticTS,
        NeuralLinear,
        RegCB,
        Segmented,
        Softmax,
        SquareCB,
    )
}

POLICY_KINDS: tuple[str, ...] = tuple(sorted(_POLICIES))


def make_policy(kind: str, n_context: int, n_shared: int, **parameters: float) -> Policy:
    """A fresh policy of this kind.

    Args:
        kind: One of ``POLICY_KINDS``.
        n_context: Length of a context.
        n_shared: Number of pair features.
        **parameters: Some of ``policy_parameters(kind)``.

    Raises:
        ParameterError: Unknown kind or parameter (the nearest is named), or a value out of range.

    Example:
        >>> make_policy("linucb", 30, 8, alpha=0.5).kind
        'linucb'
    """
    known = policy_parameters(kind)
    for name in parameters:
        if name not in known:
            raise ParameterError(
                f"policy {kind!r} has no parameter {shown(name)}: {suggestion(name, known)}"
            )
    build: Any = _POLICIES[kind]
    policy: Policy = build(n_context, n_shared, **parameters)
    return policy


def policy_parameters(kind: str) -> dict[str, float]:
    """The parameters of a kind with their defaults, its own ones first.

    Raises:
        ParameterError: Unknown kind.

    Example:
        >>> policy_parameters("linucb")["alpha"]
        1.0
    """
    policy = _POLICIES.get(kind)
    if policy is None:
        raise ParameterError(f"unknown policy {shown(kind)}: {suggestion(str(kind), _POLICIES)}")
    return {
        name: parameter.default
        for owner in (policy, LinearPolicy)
        for name, parameter in inspect.signature(owner).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }

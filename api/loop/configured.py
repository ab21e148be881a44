"""A policy as a placement's configuration of some day made it, from what the log kept of that.

Beside `api.loop.placement`, which makes the same of today's settings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.rule_settings import PriceRangeSettings
from policy.bandits.build import make_policy
from policy.bandits.cats import Cats, bin_features
from policy.base import Policy
from policy.mixture import Mixture

_APART = ("price_range", "challenger")


def policy_of(parameters: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> Policy:
    """An untrained policy.

    Args:
        parameters: As `Placement.parameters` has them.
        names: As `Placement.names` has them.

    Raises:
        PolicyError: This version knows no such kind or parameter.

    Example:
        >>> names = {"context": ["intercept"], "features": []}
        >>> policy_of({"kind": "linucb", "alpha": 0.5}, names).kind
        'linucb'
    """
    n_context, n_shared = len(names["context"]), len(names["features"])
    if "price_range" not in parameters:
        return _chooser(parameters, n_context, n_shared)
    priced = PriceRangeSettings(**parameters["price_range"])
    chooser = _chooser(parameters, 1, bin_features(n_context))
    return Cats(
        chooser,
        n_context,
        priced.range(),
        n_bins=priced.n_bins,
        bandwidth_cents=priced.bandwidth_cents,
        floor=chooser.floor,
    )


def _chooser(parameters: Mapping[str, Any], n_context: int, n_shared: int) -> Policy:
    own = {name: value for name, value in parameters.items() if name not in _APART}
    policy = make_policy(n_context=n_context, n_shared=n_shared, **own)
    rival = parameters.get("challenger")
    if rival is None:
        return policy
    theirs = {name: value for name, value in rival.items() if name != "share"}
    challenger = make_policy(n_context=n_context, n_shared=n_shared, **theirs)
    return Mixture(policy, challenger, rival["share"])

"""A policy from a saved file, whatever its kind: what the manifest says decides.

Where model files (`policy.model_file`) come back to life: trained networks that a placement serves,
and policies that a service saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.bandits.build import POLICY_KINDS, make_policy, policy_parameters
from policy.errors import StateError, shown, suggestion
from policy.model_file import load
from policy.ppo.network import KIND as PPO
from policy.ppo.network import from_parts
from policy.ppo.policy import PPOPolicy, check_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.base import Policy
    from policy.model_file import JSON

SAVED_KINDS: tuple[str, ...] = tuple(sorted((*POLICY_KINDS, PPO)))
"""What can be loaded."""


def load_policy(
    data: bytes,
    context_names: Sequence[str],
    feature_names: Sequence[str] = (),
    **parameters: float,
) -> Policy:
    """The policy of a model file, ready to decide on these contexts.

    Args:
        data: The file.
        context_names: Of a context's entries, in order. A network takes what it was trained on out
            of them by name; every other kind needs exactly those that it learned on.
        feature_names: Of the pair features, in order.
        **parameters: Instead of the ones that the file was saved with.

    Raises:
        ModelFileError: The bytes are no model file.
        StateError: A kind that stands for no single policy, or a state that does not fit.
        ParameterError: A parameter that the kind does not have, or a network that was trained on
            a feature that the context lacks.

    Example:
        >>> from policy.ppo.network import untrained
        >>> network = untrained(("x",), ("a", "b"), np.random.default_rng(0))
        >>> load_policy(network.to_bytes(), ("intercept", "x"), floor=0.1).kind
        'ppo'
    """
    manifest, arrays = load(data)
    kind = manifest.get("kind")
    if kind not in SAVED_KINDS:
        raise StateError(f"model file has kind {shown(kind)}: {suggestion(str(kind), SAVED_KINDS)}")
    if kind == PPO:
        check_parameters(parameters)
        network = from_parts(manifest, arrays)
        return PPOPolicy(network, context_names, len(feature_names), **parameters)
    for field, names in (("context_names", context_names), ("feature_names", feature_names)):
        if manifest.get(field, list(names)) != list(names):
            raise StateError(
                f"model file was learned on the {field} {shown(manifest[field])}: here they are "
                f"{shown(list(names))}; learn it again from the log"
            )
    given = saved_parameters(manifest) | parameters
    policy = make_policy(str(kind), len(context_names), len(feature_names), **given)
    policy.load_state(manifest, arrays)
    return policy


def saved_parameters(manifest: Mapping[str, JSON]) -> dict[str, float]:
    """The parameters that a bandit was saved with, as far as they were noted.

    Of any other kind there are none that could be set.

    Raises:
        StateError: They are no table of numbers.
    """
    kind = str(manifest.get("kind"))
    if kind not in POLICY_KINDS:
        return {}
    noted = manifest.get("parameters", {})
    if not isinstance(noted, dict):
        raise StateError(f"parameters are {shown(noted)}: must be a table")
    known = policy_parameters(kind)
    return {name: _number(name, value) for name, value in noted.items() if name in known}


def _number(name: str, value: JSON) -> float:
    """As it was configured: whole numbers stay whole."""
    text = str(value)
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        raise StateError(f"parameter {name} is {shown(value)}: must be a number") from None

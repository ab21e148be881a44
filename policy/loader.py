"""A policy from a saved model: one loader for every kind, chosen by the kind that the file names.

Where model files come into a service or an evaluation, in front of the contract in ``policy.base``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy import model_file
from policy.bandits.build import POLICY_KINDS, make_policy, policy_parameters
from policy.errors import StateError, shown, suggestion
from policy.ppo.network import KIND as PPO
from policy.ppo.network import from_bytes
from policy.ppo.policy import PPOPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policy.base import Policy
    from policy.model_file import JSON


@dataclass(frozen=True, slots=True)
class Place:
    """Where a loaded policy is to decide.

    Args:
        context_names: What the entries of a context mean.
        feature_names: What those of a pair's features do.
        action_ids: The actions that it has to know; more may come with a request.
        floor: Share of decisions that is spread evenly, whatever the file says.
    """

    context_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    action_ids: tuple[str, ...]
    floor: float = 0.01


def load_policy(data: bytes, place: Place) -> Policy:
    """The policy of a model file, as it was when it was saved.

    Args:
        data: The file, as ``policy.model_file.dump`` wrote it.
        place: Where it is to decide.

    Raises:
        ModelFileError: The bytes are no model file.
        StateError: Of a kind that cannot be served, or of other features.
        PolicyError: Its parameters, or what it has learned, make no policy.

    Example:
        >>> import numpy as np
        >>> policy = make_policy("lints", 2, 0, alpha=0.1)
        >>> manifest, arrays = policy.state()
        >>> notes = {"parameters": {"alpha": 0.1}, "context_names": ["one", "x"]}
        >>> data = model_file.dump({**manifest, **notes, "feature_names": []}, arrays)
        >>> load_policy(data, Place(("one", "x"), (), ("tea",))).kind
        'lints'
    """
    manifest, _ = model_file.load(data)
    kind = str(manifest.get("kind"))
    loader = LOADERS.get(kind)
    if loader is None:
        raise StateError(f"model file is of kind {shown(kind)}: {suggestion(kind, LOADERS)}")
    return loader(data, place)


def parameters_of(manifest: Mapping[str, JSON]) -> dict[str, float]:
    """The parameters that a bandit was saved with; a floor is that of where it decides.

    Of any other kind there are none that could be set.
    """
    kind = str(manifest.get("kind"))
    known = policy_parameters(kind) if kind in POLICY_KINDS else {}
    said = manifest.get("parameters")
    return {
        name: value
        for name, value in (said.items() if isinstance(said, dict) else ())
        if name in known and name != "floor" and isinstance(value, int | float)
    }


def _bandit(data: bytes, place: Place) -> Policy:
    manifest, arrays = model_file.load(data)
    for name, needed in (
        ("context_names", place.context_names),
        ("feature_names", place.feature_names),
    ):
        if manifest.get(name) != list(needed):
            raise StateError(
                f"model file has {name} {shown(manifest.get(name))}: must be {shown(list(needed))}"
            )
    policy = make_policy(
        str(manifest["kind"]),
        len(place.context_names),
        len(place.feature_names),
        **parameters_of(manifest),
        floor=place.floor,
    )
    policy.load_state(manifest, arrays)
    return policy


def _network(data: bytes, place: Place) -> Policy:
    policy = PPOPolicy(from_bytes(data), len(place.feature_names), floor=place.floor)
    policy.require(place.context_names, place.action_ids)
    return policy


LOADERS: Mapping[str, Callable[[bytes, Place], Policy]] = {
    **dict.fromkeys(POLICY_KINDS, _bandit),
    PPO: _network,
}
"""Of each kind that can be served: a further one is a line here."""

"""What the linear bandits have in common: the model, learning from it, saving it.

Between the contract in ``policy.base`` and the explorers, which add only how they distribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_model import HybridLinearModel
from policy.base import Batch, Policy
from policy.errors import BatchError, StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.model_file import JSON

Array = npt.NDArray[np.float64]

PRIORS = ("prior_shared", "prior_action", "prior_intercept")

TIE = 1e-12
"""Scores this close, relative to their size, are equal up to the order of a sum's terms."""


class LinearOptions(TypedDict, total=False):
    """The parameters that every linear bandit takes beside its own."""

    floor: float
    prior_shared: float
    prior_action: float
    prior_intercept: float


class LinearPolicy(Policy):
    """A policy on a ``HybridLinearModel``; subclasses say how they explore.

    Args:
        n_context: Length of a context; its first entry is the intercept 1.
        n_shared: Number of features of a (context, action) pair.
        floor: Share of decisions spread evenly over the candidates, in [0, 1).
        prior_shared: Precision of the shared weights, see ``HybridLinearModel``.
        prior_action: Precision of each action's own weights.
        prior_intercept: Precision of each action's own intercept.
    """

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        floor: float = 0.01,
        prior_shared: float = 1.0,
        prior_action: float = 1.0,
        prior_intercept: float = 1.0,
    ) -> None:
        super().__init__(n_context, n_shared, floor=floor)
        self.model = HybridLinearModel(
            n_context,
            n_shared,
            prior_shared=prior_shared,
            prior_action=prior_action,
            prior_intercept=prior_intercept,
        )

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        return self.model.means(x, z, ids)

    def _update(self, batch: Batch) -> None:
        self._refuse_orphans(batch)
        model = self.model
        slots = model.blocks.slots_for(batch.action_ids)
        rewards, first = batch.rewards.tolist(), batch.first.tolist()
        for row, slot in enumerate(slots):
            take = model.learn if first[row] else model.correct
            take(slot, batch.contexts[row], batch.features[row], rewards[row])

    def _refuse_orphans(self, batch: Batch) -> None:
        """A correction changes a row that was learned, so its action must have one."""
        if batch.first.all():
            return
        learned: set[str] = set()
        for row, (action_id, first) in enumerate(zip(batch.action_ids, batch.first, strict=True)):
            if first:
                learned.add(action_id)
            elif action_id not in learned and action_id not in self.model.blocks:
                raise BatchError(
                    f"row {row} corrects action {shown(action_id)}, of which no decision was "
                    "learned: learn the decision first (first=True)"
                )

    def _state(self) -> tuple[dict[str, JSON], dict[str, Array]]:
        priors: dict[str, JSON] = {name: getattr(self.model, name) for name in PRIORS}
        return {"actions": list(self.model.blocks.action_ids), **priors}, self.model.arrays()

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        for name in PRIORS:
            if manifest.get(name) != getattr(self.model, name):
                raise StateError(
                    f"saved state was learned with {name} {shown(manifest.get(name))}: this policy "
                    f"has {getattr(self.model, name)!r}; relearn it from the log"
                )
        actions = manifest.get("actions")
        if not isinstance(actions, list):
            raise StateError(f"actions is {shown(actions)}: must be a list of action ids")
        ids = [action_id for action_id in actions if isinstance(action_id, str) and action_id]
        if len(ids) != len(actions):
            raise StateError("saved action ids must be non-empty strings")
        self.model.restore(ids, arrays)


def share_of_best(scores: Array) -> Array:
    """All mass on the highest score; several that tie share it equally.

    Args:
        scores: (n_actions,).

    Returns:
        Probabilities, (n_actions,).

    Example:
        >>> share_of_best(np.array([1.0, 3.0, 3.0, 2.0]))
        array([0. , 0.5, 0.5, 0. ])
    """
    best = float(np.maximum.reduce(scores))
    tied = scores >= best - TIE * (1.0 + abs(best))
    n_tied = np.count_nonzero(tied)
    probabilities = tied.astype(np.float64)
    if n_tied != 1:
        probabilities /= n_tied
    return probabilities

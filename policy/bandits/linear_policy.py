"""What the linear bandits have in common: the model, learning from it, saving it.

Between the contract in ``policy.base`` and the explorers, which add only how they distribute.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, TypedDict

import numpy as np
import numpy.typing as npt

from policy.bandits.arm_record import ArmRecord, ArmSummary
from policy.bandits.linear_model import SCALARS, HybridLinearModel, OwnPriors, saved_array
from policy.bandits.warm_up import Row, rows_of
from policy.base import Policy
from policy.errors import BatchError, StateError, UnsupportedError, shown
from policy.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.base import Batch
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]

MOST_COMPARED = 200
"""Actions whose chances to be best are sampled: the time grows with the cube of their number."""

TIE = 1e-12
"""Scores this close, relative to their size, are equal up to the order of a sum's terms."""


class LinearOptions(TypedDict, total=False):
    """The parameters that every linear bandit takes beside its own."""

    floor: float
    prior_shared: float | None
    prior_action: float | None
    prior_intercept: float | None
    half_life: float | None


class LinearPolicy(Policy):
    """A policy on a ``HybridLinearModel``; subclasses say how they explore.

    Args:
        n_context: Length of a context; its first entry is the intercept 1.
        n_shared: Number of features of a (context, action) pair.
        floor: Share of decisions spread evenly over the candidates, in [0, 1).
        prior_shared: Precision of the shared weights, see ``HybridLinearModel``; None estimates it
            from the data, as it does the next two.
        prior_action: Precision of each action's own weights.
        prior_intercept: Precision of each action's own intercept.
        half_life: Rows after which a row counts half, at least 10; None never forgets.
    """

    schema: ClassVar[int] = 2

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        floor: float = 0.01,
        prior_shared: float | None = None,
        prior_action: float | None = None,
        prior_intercept: float | None = None,
        half_life: float | None = None,
    ) -> None:
        super().__init__(n_context, n_shared, floor=floor)
        self.given: dict[str, float | None] = {
            "prior_shared": prior_shared,
            "prior_action": prior_action,
            "prior_intercept": prior_intercept,
            "half_life": half_life,
        }
        self.model = self._new_model()
        self.record = ArmRecord()

    def _new_model(self) -> HybridLinearModel:
        """A model that has learned nothing."""
        given = self.given
        return HybridLinearModel(
            self.n_context,
            self.n_shared,
            prior_shared=given["prior_shared"],
            own=OwnPriors(given["prior_intercept"], given["prior_action"]),
            half_life=given["half_life"],
        )

    def refit(self) -> None:
        """Estimate priors and noise from the statistics alone, and solve them afresh.

        What a policy believes then depends on the rows that it learned and not on their order.
        """
        self.model.refit()

    def _lifted(self, x: Array) -> Array:
        """A context as the model sees it, with whatever a subclass makes of it behind its end."""
        return x

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        return self.model.means(self._lifted(x), z, ids)

    def summary(self) -> list[ArmSummary]:
        """Each action that was learned from, in numbers; nothing random, nothing changes.

        The chance to be best is that for the average visitor, by 4,000 samples of the posterior
        that are the same each time; NaN for more than 200 actions.
        """
        ids = self.model.blocks.action_ids
        if not ids:
            return []
        if len(ids) > MOST_COMPARED:
            return self.record.summaries(ids, np.full(len(ids), np.nan))
        means, covariance = self.model.at_average()
        rng = np.random.Generator(np.random.Philox(key=0))
        samples = rng.multivariate_normal(means, covariance, 4_000, check_valid="ignore")
        best = np.bincount(samples.argmax(axis=1), minlength=len(ids)) / 4_000
        return self.record.summaries(ids, best)

    def _explain(self, x: Array, z: Array, ids: tuple[str, ...]) -> Explanation:
        x = self._lifted(x)
        means, variances = self.model.means_and_variances(x, z, ids)
        own, shared = self.model.own_weights(ids) * x, self.model.shared_weights * z
        rest = own[:, self.n_context :].sum(axis=1)
        return Explanation(ids, means, np.sqrt(variances), own[:, : self.n_context], shared, rest)

    def _update(self, batch: Batch) -> None:
        self._refuse_orphans(batch)
        for row in rows_of(batch):
            self._learn_row(row)

    def _learn_row(self, row: Row) -> None:
        self._learn_in_model(row)

    def _learn_in_model(self, row: Row) -> float:
        """Learn one row; returns the surprise of a first one, in standard deviations."""
        (slot,) = self.model.blocks.slots_for((row.action_id,))
        if row.first:
            surprise = self.model.learn(slot, row.x, row.z, row.reward)
            self.record.count(slot - 1, row.reward, surprise)
            return surprise
        self.model.correct(slot, row.x, row.z, row.reward, row.before)
        self.record.correct(slot - 1, row.reward, row.before)
        return 0.0

    def _refuse_orphans(self, batch: Batch) -> None:
        """A correction changes a row that was learned, so its action must have one."""
        if False not in batch.first.tolist():
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

    def _remove(self, batch: Batch) -> None:
        self._refuse_forgetting("take rows out")
        for index, action_id in enumerate(batch.action_ids):
            if action_id not in self.model.blocks:
                raise BatchError(
                    f"row {index} is of action {shown(action_id)}, which was never learned: only "
                    "rows that were learned can be removed"
                )
        for row in rows_of(batch):
            (slot,) = self.model.blocks.slots_for((row.action_id,))
            if row.first:
                self.model.remove(slot, row.x, row.z, row.reward)
                self.record.remove(slot - 1, row.reward)
            else:
                after = row.before + row.reward
                self.model.correct(slot, row.x, row.z, -row.reward, after)
                self.record.correct(slot - 1, -row.reward, after)
        self.model.refit()

    def _merge(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        self._refuse_forgetting("be merged")
        ids = self._saved_actions(manifest)
        sums = _saved_record(ids, arrays)
        self.model.merge(ids, arrays, _saved_scalars(manifest))
        known = self.record.sums(len(self.model.blocks.action_ids))
        known[np.array(self.model.blocks.slots_for(ids), np.intp) - 1] += sums

    def _refuse_forgetting(self, what: str) -> None:
        if self.given["half_life"] is not None:
            raise UnsupportedError(
                f"{self.kind} with half_life {self.given['half_life']:g} cannot {what}: what a "
                "row still counts for depends on all that came after it; relearn it from the log"
            )

    def _state(self) -> tuple[dict[str, JSON], dict[str, Array]]:
        scalars: dict[str, JSON] = dict(self.model.scalars())
        actions: list[JSON] = list(self.model.blocks.action_ids)
        arrays = {**self.model.arrays(), "record": self.record.sums(len(actions)).copy()}
        return {"actions": actions, "model": scalars, **self.given}, arrays

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        ids = self._saved_actions(manifest)
        sums = _saved_record(ids, arrays)
        self.model.restore(ids, arrays, _saved_scalars(manifest))
        self.record.replace(sums)

    def _saved_actions(self, manifest: Mapping[str, JSON]) -> list[str]:
        """The actions of a state that was learned with the same parameters."""
        for name, given in self.given.items():
            if manifest.get(name) != given:
                raise StateError(
                    f"saved state was learned with {name} {shown(manifest.get(name))}: this policy "
                    f"has {given!r}; relearn it from the log"
                )
        actions = manifest.get("actions")
        if not isinstance(actions, list):
            raise StateError(f"actions is {shown(actions)}: must be a list of action ids")
        ids = [action_id for action_id in actions if isinstance(action_id, str) and action_id]
        if len(ids) != len(actions):
            raise StateError("saved action ids must be non-empty strings")
        return ids


def _saved_record(ids: Sequence[str], arrays: Mapping[str, Array]) -> Array:
    return saved_array(arrays, "record", (len(ids), 5))


def _saved_scalars(manifest: Mapping[str, JSON]) -> dict[str, float]:
    saved = manifest.get("model")
    if not isinstance(saved, dict):
        raise StateError(f"model is {shown(saved)}: must be a table of numbers")
    scalars: dict[str, float] = {}
    for name in SCALARS:
        value = saved.get(name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0.0 <= float(str(value)) < math.inf:
            raise StateError(f"model.{name} is {shown(value)}: must be a number of at least 0")
        scalars[name] = value  # type: ignore[assignment]  # checked above
    return scalars


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

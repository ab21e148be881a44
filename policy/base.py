"""The contract of a policy: context and candidates in, exact probabilities out, rewards back.

Between the encoders, which make the numbers, and the decision loop, which draws, logs and reports
rewards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import numpy.typing as npt

from policy.bounds import LARGEST_FEATURE, LARGEST_REWARD, bounded, parameter, whole_parameter
from policy.errors import (
    BatchError,
    DecisionError,
    PolicyError,
    StateError,
    UnsupportedError,
    shown,
)
from policy.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.bandits.arm_record import ArmSummary
    from policy.bounds import Floats
    from policy.model_file import JSON

LARGEST_DIMENSION = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The eligible actions of one decision. An excluded action is absent: its probability is 0.

    Args:
        ids: Distinct action ids, (n_actions,).
        features: Features of each (context, action) pair, (n_actions, n_shared).
        costs: What showing each would cost, in units of reward, (n_actions,): subtracted from
            every score, never from what is expected. None for nothing.

    Example:
        >>> Candidates(("a", "b"), np.zeros((2, 3))).ids
        ('a', 'b')
    """

    ids: tuple[str, ...]
    features: Floats
    costs: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Decisions and what they earned, in the order of the log.

    Args:
        contexts: (n, n_context).
        features: Pair features of the action that was taken, (n, n_shared).
        action_ids: The action that was taken, (n,).
        rewards: (n,).
        first: (n,) bool. False marks a correction: further reward, negative for a refund, for a
            decision that was learned before; only the response moves, not the design.
        before: What a corrected decision had earned until then, (n,); 0 where ``first``. None for
            all 0.

    Example:
        >>> Batch(np.ones((1, 2)), np.zeros((1, 3)), ("a",), np.ones(1), np.ones(1, bool)).rewards
        array([1.])
    """

    contexts: Floats
    features: Floats
    action_ids: tuple[str, ...]
    rewards: Floats
    first: npt.NDArray[np.bool_]
    before: Floats | None = None


class Policy(ABC):
    """Chooses with known probabilities and learns from rewards. Not thread-safe.

    Subclasses say how to distribute; this class checks what comes in and mixes in the exploration
    floor, so that every probability is exact and, with a floor above 0, positive:

        p(a) = (1 - floor) q(a) + floor / n_actions

    Args:
        n_context: Length of a context, at least 1.
        n_shared: Number of features of a (context, action) pair, may be 0.
        floor: Share of decisions that is spread evenly over the candidates, in [0, 1).
    """

    kind: ClassVar[str]
    schema: ClassVar[int] = 1

    def __init__(self, n_context: int, n_shared: int, *, floor: float = 0.01) -> None:
        self.n_context = whole_parameter("n_context", n_context, 1, LARGEST_DIMENSION)
        self.n_shared = whole_parameter("n_shared", n_shared, 0, LARGEST_DIMENSION)
        self.floor = parameter("floor", floor, 0.0, 1.0, open_high=True)
        self.n_updates = 0
        self._checked_ids: tuple[str, ...] | None = None

    @final
    def distribution(
        self, context: Floats, candidates: Candidates, rng: np.random.Generator
    ) -> npt.NDArray[np.float64]:
        """The probability of each candidate; see ``decide``."""
        return self.decide(context, candidates, rng)[0]

    @final
    def decide(
        self, context: Floats, candidates: Candidates, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The probability of each candidate, and the reward that the policy expects of it.

        Args:
            context: (n_context,).
            candidates: At least one.
            rng: Used by policies that sample; the others leave it alone.

        Returns:
            Probabilities that sum to 1, (n_actions,), and ``expected_rewards``, (n_actions,).

        Raises:
            DecisionError: No candidates, ids twice, or features of another shape, NaN or infinite.
        """
        x, z = self._checked_decision(context, candidates)
        costs = self._checked_costs(candidates)
        n_actions = len(candidates.ids)
        if n_actions == 1:
            return np.ones(1), self._expected_rewards(x, z, candidates.ids)
        probabilities, means = self._decide(x, z, candidates.ids, costs, rng)
        total = np.add.reduce(probabilities)
        # Written so that NaN fails it: a broken distribution must never be drawn from or logged.
        if not abs(total - 1.0) < 1e-9:
            raise PolicyError(f"{self.kind}: probabilities sum to {total}: must sum to 1")
        probabilities *= 1.0 - self.floor
        probabilities += self.floor / n_actions
        return probabilities, means

    @final
    def expected_rewards(self, context: Floats, candidates: Candidates) -> npt.NDArray[np.float64]:
        """The reward that the policy expects of each candidate. Nothing random, nothing changes.

        Args:
            context: (n_context,).
            candidates: At least one.

        Returns:
            (n_actions,).

        Raises:
            DecisionError: As for ``distribution``.
        """
        x, z = self._checked_decision(context, candidates)
        return self._expected_rewards(x, z, candidates.ids)

    @final
    def explain(self, context: Floats, candidates: Candidates) -> Explanation:
        """What each feature adds to what is expected of each candidate. Nothing changes.

        Args:
            context: (n_context,).
            candidates: At least one.

        Raises:
            DecisionError: As for ``distribution``.
        """
        x, z = self._checked_decision(context, candidates)
        return self._explain(x, z, candidates.ids)

    def summary(self) -> list[ArmSummary]:
        """Each action that was learned from, in numbers; none of a kind that keeps no record."""
        return []

    @final
    def update(self, batch: Batch) -> None:
        """Learn rows one after another: any split into batches gives the same state to the bit.

        Args:
            batch: May be empty.

        Raises:
            BatchError: A row that cannot be learned; then none of the batch is.
        """
        self._update(self._checked_batch(batch))
        self.n_updates += len(batch.action_ids)

    @final
    def state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[np.float64]]]:
        """Everything learned, as a manifest and arrays for ``policy.model_file.dump``.

        Returns:
            Copies; later updates do not reach them.
        """
        manifest: dict[str, JSON] = {
            "kind": self.kind,
            "schema": self.schema,
            "n_context": self.n_context,
            "n_shared": self.n_shared,
            "n_updates": self.n_updates,
        }
        learned, arrays = self._state()
        return manifest | learned, arrays

    @final
    def load_state(
        self, manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[np.float64]]
    ) -> None:
        """Resume from a saved state, to the bit.

        Args:
            manifest: From ``state``.
            arrays: From ``state``.

        Raises:
            StateError: The state is of another kind, schema or size; then nothing changes.
        """
        n_updates = self._checked_head(manifest)
        self._load_state(manifest, arrays)
        self.n_updates = n_updates

    @final
    def remove(self, batch: Batch) -> None:
        """Un-learn rows, as if they had never been seen; what erasing a visitor needs.

        Args:
            batch: Rows exactly as they were learned, corrections included; in any order.

        Raises:
            UnsupportedError: The policy keeps no statistics that rows could be taken out of.
            BatchError: A row that cannot have been learned; then nothing changes.
        """
        checked = self._checked_batch(batch)
        if len(checked.action_ids) > self.n_updates:
            raise BatchError(
                f"{len(checked.action_ids)} rows to remove: only {self.n_updates} were learned"
            )
        self._remove(checked)
        self.n_updates -= len(checked.action_ids)

    @final
    def merge(
        self, manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[np.float64]]
    ) -> None:
        """Take in what another replica learned, as if this one had learned both logs.

        Args:
            manifest: From the other's ``state``; it shares no row with this one.
            arrays: From the other's ``state``.

        Raises:
            UnsupportedError: The policy keeps no statistics that add up.
            StateError: The state is of another kind, schema or size; then nothing changes.
        """
        n_updates = self._checked_head(manifest)
        self._merge(manifest, arrays)
        self.n_updates += n_updates

    @abstractmethod
    def _decide(
        self,
        x: npt.NDArray[np.float64],
        z: npt.NDArray[np.float64],
        ids: tuple[str, ...],
        costs: npt.NDArray[np.float64] | float,
        rng: np.random.Generator,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """A fresh array of probabilities of two or more candidates, before the floor, and means.

        The means are without ``costs``, (n_actions,) or 0.0, which the scores are reduced by.
        """

    @abstractmethod
    def _expected_rewards(
        self, x: npt.NDArray[np.float64], z: npt.NDArray[np.float64], ids: tuple[str, ...]
    ) -> npt.NDArray[np.float64]:
        """The mean reward of each candidate."""

    @abstractmethod
    def _update(self, batch: Batch) -> None:
        """Learn checked rows, or raise ``BatchError`` before anything changes."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[np.float64]]]:
        """What the subclass has learned, as copies."""

    @abstractmethod
    def _load_state(
        self, manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[np.float64]]
    ) -> None:
        """Take over what ``_state`` gave, or raise ``StateError`` before anything changes."""

    def _explain(
        self, x: npt.NDArray[np.float64], z: npt.NDArray[np.float64], ids: tuple[str, ...]
    ) -> Explanation:
        """A kind that cannot take its scores apart gives them whole."""
        means = self._expected_rewards(x, z, ids)
        n_actions = len(ids)
        return Explanation(
            ids,
            means,
            np.full(n_actions, np.nan),
            np.zeros((n_actions, self.n_context)),
            np.zeros((n_actions, self.n_shared)),
            means.copy(),
        )

    def _remove(self, batch: Batch) -> None:
        """Un-learn checked rows, or raise before anything changes."""
        raise UnsupportedError(
            f"{self.kind} cannot take rows out of what it has learned: relearn it from the log "
            "without them"
        )

    def _merge(
        self, manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[np.float64]]
    ) -> None:
        """Add what ``_state`` of another gave, or raise before anything changes."""
        raise UnsupportedError(
            f"{self.kind} keeps nothing that two replicas could add up: relearn it from both logs"
        )

    def _checked_head(self, manifest: Mapping[str, JSON]) -> int:
        """The number of updates of a state that fits this policy."""
        for name in ("kind", "schema", "n_context", "n_shared"):
            if manifest.get(name) != getattr(self, name):
                raise StateError(
                    f"saved state has {name} {shown(manifest.get(name))}: this policy needs "
                    f"{getattr(self, name)!r}; relearn it from the log"
                )
        n_updates = manifest.get("n_updates")
        if isinstance(n_updates, bool) or not isinstance(n_updates, int) or n_updates < 0:
            raise StateError(f"n_updates is {shown(n_updates)}: must be a whole number, at least 0")
        return n_updates

    def _checked_decision(
        self, context: Floats, candidates: Candidates
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        ids = candidates.ids
        # The loop hands over the same tuple again and again: check each only once.
        if ids is not self._checked_ids:
            _check_ids(ids)
            self._checked_ids = ids
        shape = (len(ids), self.n_shared)
        return (
            bounded("context", context, (self.n_context,), LARGEST_FEATURE, DecisionError),
            bounded("features", candidates.features, shape, LARGEST_FEATURE, DecisionError),
        )

    def _checked_costs(self, candidates: Candidates) -> npt.NDArray[np.float64] | float:
        if candidates.costs is None:
            return 0.0
        shape = (len(candidates.ids),)
        return bounded("costs", candidates.costs, shape, LARGEST_REWARD, DecisionError)

    def _checked_batch(self, batch: Batch) -> Batch:
        ids = batch.action_ids
        n = len(ids)
        for row, action_id in enumerate(ids):
            if not isinstance(action_id, str) or not action_id:
                raise BatchError(
                    f"action_ids[{row}] is {shown(action_id)}: must be a non-empty string"
                )
        first = np.asarray(batch.first)
        if first.shape != (n,) or first.dtype != np.bool_:
            raise BatchError(
                f"first has shape {first.shape} and dtype {first.dtype}: must be ({n},) of bool"
            )
        return Batch(
            bounded("contexts", batch.contexts, (n, self.n_context), LARGEST_FEATURE, BatchError),
            bounded("features", batch.features, (n, self.n_shared), LARGEST_FEATURE, BatchError),
            ids,
            bounded("rewards", batch.rewards, (n,), LARGEST_REWARD, BatchError),
            first,
            self._checked_before(batch, n),
        )

    @staticmethod
    def _checked_before(batch: Batch, n: int) -> npt.NDArray[np.float64] | None:
        if batch.before is None:
            return None
        return bounded("before", batch.before, (n,), LARGEST_REWARD, BatchError)


def draw(probabilities: npt.NDArray[np.float64], u: float) -> int:
    """One draw by the inverse of the cumulative distribution.

    Args:
        probabilities: Non-negative with a positive sum, (n_actions,).
        u: Uniform on [0, 1).

    Returns:
        Index of an action; never one of probability 0.

    Raises:
        DecisionError: ``u`` is outside of [0, 1).

    Example:
        >>> draw(np.array([0.25, 0.0, 0.75]), 0.25)
        2
    """
    if not 0.0 <= u < 1.0:
        raise DecisionError(f"u is {u}: must be at least 0 and below 1")
    cumulative = probabilities.cumsum()
    # Scaled by the sum, which rounding may leave beside 1; u < 1 keeps the product below it.
    return int(cumulative.searchsorted(u * cumulative[-1], side="right"))


def _check_ids(ids: tuple[str, ...]) -> None:
    if not isinstance(ids, tuple) or not all(isinstance(i, str) for i in ids):
        raise DecisionError(f"candidate ids are {shown(ids)}: must be a tuple of strings")
    if not ids:
        raise DecisionError("no candidates: at least one eligible action is needed to decide")
    if len(set(ids)) != len(ids):
        twice = next(action_id for i, action_id in enumerate(ids) if action_id in ids[:i])
        raise DecisionError(f"candidate {shown(twice)} is there twice: ids must be distinct")

"""Logged lists seen from one target policy: what each slot earned, and its importance weights.

Between the log's probabilities of lists, which `policy.slots` has, and the estimators of lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.log import SUM_TOLERANCE

if TYPE_CHECKING:
    from policy.ope.log import Array, Ints


@dataclass(frozen=True, slots=True, eq=False)
class SlateSample:
    """Lists of a log with what a target policy makes of them.

    Args:
        reward: What each slot earned, (n, n_slots). A reward of the list as a whole may stand in
            any slot for `SlateIPS` and `PseudoInverse`; the others need to know whose it was.
        prefix: Weight of the first slots together, up to each, (n, n_slots); the last is that of
            the list.
        own: Weight of each slot by itself, (n, n_slots); None where marginals are not known.
        pseudo: Weight of the list by the pseudo-inverse, (n,); None where not worked out.

    Example:
        >>> half, all_ = np.full((1, 2), 0.5), np.ones((1, 2))
        >>> of_conditionals(all_, logging=half, target=all_).prefix
        array([[2., 4.]])
    """

    reward: Array
    prefix: Array
    own: Array | None = None
    pseudo: Array | None = None

    @property
    def n_slots(self) -> int:
        """Slots of every list."""
        return int(self.reward.shape[1])


def of_conditionals(
    reward: Array,
    logging: Array,
    target: Array,
    marginals: tuple[Array, Array] | None = None,
) -> SlateSample:
    """A sample of the probabilities that were logged with each list.

    Args:
        reward: (n, n_slots).
        logging: Of each slot's action given those above it, under the log, (n, n_slots).
        target: The same under the target policy.
        marginals: Of each slot's action on its own, under the log and under the target, each
            (n, n_slots), for the independent estimator.

    Raises:
        EvaluationError: Shapes that differ, or a list that the log could not have shown.
    """
    checked = [logging, target, *(marginals or ())]
    if any(values.shape != reward.shape for values in checked):
        shapes = ", ".join(str(values.shape) for values in checked)
        raise EvaluationError(f"probabilities have shapes {shapes}: must be {reward.shape}")
    for shown in (logging, *(marginals or ())[:1]):
        wrong = ~((shown > 0.0) & (shown <= 1.0 + SUM_TOLERANCE))
        if wrong.any():
            row, slot = (int(place) for place in np.argwhere(wrong)[0])
            raise EvaluationError(
                f"list {row} has probability {shown[row, slot]} in slot {slot}: what was shown "
                "must have one above 0 and at most 1"
            )
    own = None if marginals is None else marginals[1] / marginals[0]
    return SlateSample(reward, (target / logging).cumprod(axis=1), own)


def of_lists(
    reward: Array, shown: Ints, lists: Ints, logging: Array, target: Array, n_actions: int
) -> SlateSample:
    """A sample with every weight, from the probabilities of all lists that there are.

    Args:
        reward: (n, n_slots).
        shown: Which list was shown, (n,).
        lists: The action in each slot of every list, (n_lists, n_slots).
        logging: Probability of every list under the log, (n, n_lists).
        target: Under the target policy, (n, n_lists).
        n_actions: How many actions there are.

    Raises:
        EvaluationError: Probabilities that do not sum to 1, or a list that could not be shown.

    Example:
        >>> lists = np.array([[0, 1], [1, 0]])
        >>> sample = of_lists(np.ones((1, 2)), np.array([0]), lists,
        ...                   np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]]), 2)
        >>> sample.own, sample.pseudo
        (array([[1.8, 1.8]]), array([1.8]))
    """
    for name, values in (("logging", logging), ("target", target)):
        if values.shape != (len(reward), len(lists)):
            raise EvaluationError(
                f"{name} has shape {values.shape}: must be {(len(reward), len(lists))}"
            )
        if not (abs(values.sum(axis=1) - 1.0) <= SUM_TOLERANCE).all():
            raise EvaluationError(f"{name} must be probabilities of lists that sum to 1")
    cells = _cells(lists, n_actions)
    of_cell = (logging @ cells, target @ cells)
    n_slots = lists.shape[1]
    places = lists[shown] + np.arange(n_slots) * n_actions
    rows = np.arange(len(reward))[:, np.newaxis]
    marginals = (of_cell[0][rows, places], of_cell[1][rows, places])
    conditionals = [_conditionals(lists, shown, values) for values in (logging, target)]
    made = of_conditionals(reward, conditionals[0], conditionals[1], marginals)
    pseudo = _pseudo_weights(cells, logging, of_cell[1], shown)
    return SlateSample(reward, made.prefix, made.own, pseudo)


def _cells(lists: Ints, n_actions: int) -> Array:
    """Which (slot, action) cells each list fills, (n_lists, n_slots * n_actions)."""
    filled: Array = np.eye(n_actions)[lists].reshape(len(lists), -1)
    return filled


def _conditionals(lists: Ints, shown: Ints, probabilities: Array) -> Array:
    """Probability of each slot's action given those above it, (n, n_slots); 0 after a 0."""
    joint = np.ones((len(shown), lists.shape[1] + 1))
    for slot in range(lists.shape[1]):
        same = (lists[shown, None, : slot + 1] == lists[None, :, : slot + 1]).all(axis=2)
        joint[:, slot + 1] = (same * probabilities).sum(axis=1)
    above = joint[:, :-1]
    conditionals: Array = joint[:, 1:] / np.where(above > 0.0, above, 1.0)
    return conditionals


def _pseudo_weights(cells: Array, logging: Array, target_cells: Array, shown: Ints) -> Array:
    """Target cells times the pseudo-inverse of E[cells cellsᵀ], at the list that was shown."""
    weights = np.empty(len(shown))
    inverse: Array = np.zeros((0, 0))
    for row, which in enumerate(shown):
        if row == 0 or not np.array_equal(logging[row], logging[row - 1]):
            moments = (cells * logging[row, :, np.newaxis]).T @ cells
            inverse = np.asarray(np.linalg.pinv(moments, rcond=1e-10, hermitian=True))
        weights[row] = target_cells[row] @ inverse @ cells[which]
    return weights

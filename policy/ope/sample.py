"""A chunk of the log seen from one target policy: weights, and what the reward model expects.

Between log, target and reward model on one side and the estimators on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError
from policy.ope.log import SUM_TOLERANCE

if TYPE_CHECKING:
    from policy.ope.log import Array, Decisions


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of a log with what a target policy makes of them.

    Args:
        log: The rows.
        target: Probability of every action under the target policy, (n, n_actions).
        weight: Importance weight of the shown action, target / propensity, (n,).
        expected: Reward that the model expects of every action, (n, n_actions); None without one.
        direct: Reward that the model expects of the target policy, (n,); None without a model.
        residual: Reward less what the model expects of the shown action, (n,); None as before.

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a", "b"), np.array([0]), np.array([1.0]), np.array([0.5]))
        >>> sample_of(log, np.array([[1.0, 0.0]])).weight
        array([2.])
    """

    log: Decisions
    target: Array
    weight: Array
    expected: Array | None = None
    direct: Array | None = None
    residual: Array | None = None

    def modelled(self) -> tuple[Array, Array]:
        """``direct`` and ``residual``.

        Raises:
            EvaluationError: The sample has no model.
        """
        if self.direct is None or self.residual is None:
            raise EvaluationError(
                "the estimator needs a reward model: fit one with policy.ope.reward_model, or "
                "hand over what is expected of every action"
            )
        return self.direct, self.residual


def sample_of(log: Decisions, target: Array, expected: Array | None = None) -> Sample:
    """The sample of a target policy.

    Args:
        log: The rows.
        target: Its probability of every action, (n, n_actions): each row sums to 1, and none is on
            an action that was not eligible.
        expected: Reward that a model expects of every action, (n, n_actions); must not have been
            fitted on the row itself.

    Raises:
        EvaluationError: Shapes that do not fit, or a target that is no distribution over what was
            eligible.
    """
    _check_target(log, target)
    weight = log.taken(target) / log.propensity
    if expected is None:
        return Sample(log, target, weight)
    if expected.shape != target.shape:
        raise EvaluationError(f"expected has shape {expected.shape}: must be {target.shape}")
    direct = np.einsum("ij,ij->i", target, expected)
    return Sample(log, target, weight, expected, direct, log.reward - log.taken(expected))


def _check_target(log: Decisions, target: Array) -> None:
    shape = (log.n_rows, log.n_actions)
    if target.shape != shape:
        raise EvaluationError(f"target has shape {target.shape}: must be {shape}")
    wrong = ~(abs(target @ np.ones(log.n_actions) - 1.0) <= SUM_TOLERANCE)
    if target.size and not target.min() >= 0.0:
        wrong |= ~(target >= 0.0).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise EvaluationError(
            f"target of row {log.first_row + row} is {target[row]}: must be probabilities that sum "
            "to 1"
        )
    if log.eligible is not None and (target * ~log.eligible).any():
        row, action = np.argwhere(target * ~log.eligible)[0]
        raise EvaluationError(
            f"target of row {log.first_row + row} shows {log.actions[action]!r} with probability "
            f"{target[row, action]}: it was not eligible; a target must choose among what was"
        )

"""A cross-fitted linear reward model in constant memory.

In front of the estimators that need a model: a first pass over the log gathers the normal equations
of each action and fold, a second pass predicts every row from the folds that it is not in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.bounds import parameter
from policy.errors import EvaluationError
from policy.ope.tally import spread

if TYPE_CHECKING:
    from policy.ope.log import Array, Decisions, Ints

N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class NormalEquations:
    """Sums of x xᵀ, of x r and of r² of each fold and action, with x = [1, context].

    Args:
        gram: (n_folds, n_actions, d, d).
        moment: (n_folds, n_actions, d).

    Example:
        >>> from policy.ope.log import Decisions
        >>> log = Decisions(("a", "b"), np.array([0, 1]), np.array([1.0, 0.0]), np.full(2, 0.5))
        >>> NormalEquations.of(log).moment.sum(axis=(0, 2))
        array([1., 0.])
    """

    gram: Array
    moment: Array

    @staticmethod
    def of(log: Decisions, n_folds: int = N_FOLDS) -> NormalEquations:
        """Those of a chunk.

        Args:
            log: The rows.
            n_folds: At least 2.
        """
        x = design(log)
        cell = folds(log, n_folds) * log.n_actions + log.action
        n_cells, width = n_folds * log.n_actions, x.shape[1]
        order = np.argsort(cell, kind="stable")
        ends = np.cumsum(np.bincount(cell, minlength=n_cells))
        gram = np.zeros((n_cells, width, width))
        moment = np.zeros((n_cells, width))
        start = 0
        for number, end in enumerate(ends):
            rows = order[start:end]
            gram[number] = x[rows].T @ x[rows]
            moment[number] = x[rows].T @ log.reward[rows]
            start = end
        shape = (n_folds, log.n_actions)
        return NormalEquations(gram.reshape(*shape, width, width), moment.reshape(*shape, width))

    def merged(self, other: NormalEquations) -> NormalEquations:
        """Those of both parts of a log."""
        if self.gram.shape != other.gram.shape:
            raise EvaluationError(
                f"normal equations of shapes {self.gram.shape} and {other.gram.shape} cannot be "
                "merged: must be of the same actions, context and folds"
            )
        return NormalEquations(self.gram + other.gram, self.moment + other.moment)


@dataclass(frozen=True, slots=True, eq=False)
class RewardModel:
    """Ridge regressions of the reward: one for all actions, and what each differs from it.

        q(x, a) = x · (β + δ_a)

    β is fitted on all actions' rows, δ_a on what that leaves of the action's own, held to 0
    as if by ``prior`` rows. An action that was never shown is expected to earn what all do.

    Args:
        weights: β + δ_a without the rows of each fold, (n_folds, n_actions, d).

    Example:
        >>> from policy.ope.log import Decisions
        >>> rows = np.arange(100)
        >>> log = Decisions(("a", "b"), rows % 2, (rows % 2).astype(float), np.full(100, 0.5))
        >>> model = RewardModel.fitted(NormalEquations.of(log))
        >>> model.expected(log)[0].round(1)
        array([0., 1.])
    """

    weights: Array

    @staticmethod
    def fitted(equations: NormalEquations, prior: float = 1.0) -> RewardModel:
        """The model of a log.

        Args:
            equations: Of all its chunks, merged.
            prior: Strength of the prior in rows, above 0.

        Raises:
            ParameterError: A prior that is not positive.
        """
        prior = parameter("prior", prior, 1e-9)
        # Summed over the other folds: total less own would leave a rounded trace of the own rows.
        others = 1.0 - np.eye(len(equations.gram))
        gram = np.tensordot(others, equations.gram, axes=1)
        moment = np.tensordot(others, equations.moment, axes=1)
        ridge = prior * np.eye(gram.shape[-1])
        # A hundredth of the prior: the shared part has the rows of every action.
        shared = np.linalg.solve(gram.sum(axis=1) + 0.01 * ridge, moment.sum(axis=1)[..., None])
        left = moment[..., None] - gram @ shared[:, None]
        own = np.linalg.solve(gram + ridge, left)
        return RewardModel((shared[:, None] + own)[..., 0])

    def expected(self, log: Decisions) -> Array:
        """What every action is expected to earn, from folds without the row, (n, n_actions)."""
        x = design(log)
        if x.shape[1] != self.weights.shape[2]:
            raise EvaluationError(
                f"context has {x.shape[1] - 1} columns: the model was fitted on "
                f"{self.weights.shape[2] - 1}"
            )
        n_folds = len(self.weights)
        fold = folds(log, n_folds).astype(np.int8)
        order = np.argsort(fold, kind="stable")
        ends = np.bincount(fold, minlength=n_folds).cumsum()
        grouped = x[order]
        found = np.empty((log.n_rows, log.n_actions))
        for number, (start, end) in enumerate(zip(np.append(0, ends), ends, strict=False)):
            np.matmul(grouped[start:end], self.weights[number].T, out=found[start:end])
        expected = np.empty_like(found)
        expected[order] = found
        return expected


def folds(log: Decisions, n_folds: int = N_FOLDS) -> Ints:
    """The fold of each row, (n,): a visitor's rows are in one."""
    if log.cluster is not None:
        return spread(log.cluster, n_folds)
    return spread(log.first_row + np.arange(log.n_rows), n_folds)


def design(log: Decisions) -> Array:
    """Ones and the context, (n, 1 + n_context)."""
    return np.column_stack((np.ones(log.n_rows), log.context))

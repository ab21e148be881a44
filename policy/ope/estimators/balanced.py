"""Balanced off-policy evaluation: weights out of a classifier, without propensities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.bounds import parameter
from policy.errors import EvaluationError
from policy.ope.estimators.base import Estimator, Ratio
from policy.ope.reward_model import N_FOLDS, design, folds

if TYPE_CHECKING:
    from policy.ope.log import Array, Decisions
    from policy.ope.sample import Sample

N_STEPS, LARGEST_STEP, PRECISE = 50, 5.0, 1e-8
LARGEST_LOG_WEIGHT = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class DensityRatio:
    """How much likelier the target shows an action in a context than the log did, by a classifier.

        w(x, a) = P(target | x, a) / P(log | x, a) = exp(x · β_a)

    A logistic regression for each action tells the log's rows with that action from all rows, each
    counted with the target's probability of it.

    Args:
        weights: β of each action without the rows of each fold, (n_folds, n_actions, d).

    Example:
        >>> from policy.ope.log import Decisions
        >>> action = np.arange(1000) % 4 // 3
        >>> log = Decisions(("a", "b"), action, np.ones(1000), np.ones(1000))
        >>> DensityRatio.fitted(log, np.full((1000, 2), 0.5)).of(log)[2:4].round(1)
        array([0.7, 2. ])
    """

    weights: Array

    @staticmethod
    def fitted(
        log: Decisions, target: Array, prior: float = 1.0, n_folds: int = N_FOLDS
    ) -> DensityRatio:
        """The ratio of a target and the policy that wrote the log; propensities are not read.

        Args:
            log: The whole of it.
            target: Probability of every action under the target, (n, n_actions).
            prior: Strength of the pull towards a weight of 1, above 0.
            n_folds: At least 2.
        """
        prior = parameter("prior", prior, 1e-9)
        x, fold = design(log), folds(log, n_folds)
        weights = np.empty((n_folds, log.n_actions, x.shape[1]))
        for number in range(n_folds):
            rows = fold != number
            for action in range(log.n_actions):
                shown = (log.action[rows] == action).astype(np.float64)
                weights[number, action] = _logistic(x[rows], target[rows, action], shown, prior)
        return DensityRatio(weights)

    def of(self, log: Decisions) -> Array:
        """The weight of every row's shown action, from folds without the row, (n,)."""
        x = design(log)
        if x.shape[1] != self.weights.shape[2]:
            raise EvaluationError(
                f"context has {x.shape[1] - 1} columns: the weights were fitted on "
                f"{self.weights.shape[2] - 1}"
            )
        own = self.weights[folds(log, len(self.weights)), log.action]
        scores = np.einsum("ij,ij->i", x, own)
        weights: Array = np.exp(scores.clip(-LARGEST_LOG_WEIGHT, LARGEST_LOG_WEIGHT))
        return weights


class Balanced(Ratio, Estimator):
    """Rewards weighted by a classifier's odds that the target, not the log, made the choice.

        V = sum_i w(x_i, a_i) r_i / sum_i w(x_i, a_i)

    For logs whose propensities nobody wrote down. It stands on what cannot be checked: that the
    context holds all that the log's choices depended on, and that the classifier is right.

    Bias and variance: as biased as the classifier is wrong, which the interval does not know of; of
    less variance than IPS, since extreme propensities are smoothed.

    Args:
        ratio: Fitted for the very target of the sample.

    Example:
        >>> Balanced(DensityRatio(np.zeros((2, 3, 1)))).name
        'balanced'

    References:
        Sondhi, Arbour, Dimmery. Balanced Off-Policy Evaluation in General Action Spaces. AISTATS
        2020.
    """

    name: str = "balanced"

    def __init__(self, ratio: DensityRatio) -> None:
        self.ratio = ratio

    def columns(self, sample: Sample) -> Array:
        """Weight times reward, and weight."""
        weight = self.ratio.of(sample.log)
        return np.column_stack((weight * sample.log.reward, weight))


def _logistic(x: Array, positive: Array, negative: Array, prior: float) -> Array:
    """Newton's method; each row is a success ``positive`` times and a failure ``negative``."""
    beta = np.zeros(x.shape[1])
    count = positive + negative
    for _ in range(N_STEPS):
        share = 1.0 / (1.0 + np.exp(-(x @ beta).clip(-30.0, 30.0)))
        gradient = x.T @ (count * share - positive) + prior * beta
        curvature = (x * (count * share * (1.0 - share))[:, None]).T @ x
        step = np.linalg.solve(curvature + prior * np.eye(len(beta)), gradient)
        # Shortened: a full step from far away may overshoot.
        step *= min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        beta -= step
        if np.abs(step).max() < PRECISE:
            break
    return beta

"""SNIPS, doubly robust and the direct method, blended as the log advises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policy.ope.estimators.base import Estimator, Functional

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample
    from policy.ope.tally import Tally

DIRECT, REWARD, WEIGHT, EXPECTED, SQUARE = range(5)
N_COLUMNS = 5


class Blended(Estimator):
    """Trusts the reward model as far as the log bears it out.

        V = (1 - t) (β SNDR + (1 - β) SNIPS)  +  t DM

    β in [0, 1] makes the variance of the first part least: a model that explains nothing only adds
    noise to it. t in [0, 1] makes the estimated mean squared error of the whole least; the squared
    bias of the direct method is estimated, without bias, by its squared distance from the first
    part less the variance of that distance.

    Bias and variance: of order 1/n but for t, which is large only where the direct method is no
    further from the unbiased part than chance would have it. The interval is that of the first part
    alone, since nothing is known of the bias of the rest.

    Example:
        >>> Blended().n_columns
        5

    References:
        Thomas, Brunskill. Data-Efficient Off-Policy Policy Evaluation for Reinforcement Learning.
        ICML 2016 (blending model and weights by estimated error).
        Vlassis, Bibaut, Dimakopoulou, Jebara. On the Design of Estimators for Bandit Off-Policy
        Evaluation. ICML 2019 (control variates of least variance).
    """

    name: str = "blended"
    needs_model: bool = True
    n_columns = N_COLUMNS

    def columns(self, sample: Sample) -> Array:
        """What is expected, weighted reward, weight, weighted expectation, E[weight²]."""
        direct, residual = sample.modelled()
        weight, reward = sample.weight, sample.log.reward
        made = np.empty((len(weight), N_COLUMNS))
        made[:, DIRECT] = direct
        np.multiply(weight, reward, out=made[:, REWARD])
        made[:, WEIGHT] = weight
        np.multiply(weight, reward - residual, out=made[:, EXPECTED])
        made[:, SQUARE] = _expected_square(sample)
        return made

    def settled(self, tally: Tally) -> Blend:
        """With β and t chosen."""
        means = tally.means
        if not means[WEIGHT] > 0.0 or np.count_nonzero(tally.counts) < 2:
            return Blend(1.0, 0.0)
        parts = [Blend(0.0, 0.0), Blend(1.0, 0.0), Blend(1.0, 1.0)]
        influences = np.stack([tally.influences(part.gradient(means)) for part in parts])
        covariance = np.cov(influences) / influences.shape[1]
        model = _share(covariance[0, 0], covariance[1, 1], covariance[0, 1], 0.0)
        mixed = np.array([1.0 - model, model, 0.0])
        variance, shared = mixed @ covariance @ mixed, mixed @ covariance[2]
        distance = means[DIRECT] - Blend(model, 0.0).value(means)
        chance = variance + covariance[2, 2] - 2.0 * shared
        bias = max(distance**2 - chance, 0.0)
        return Blend(model, _share(variance, covariance[2, 2], shared, bias))


class Blend(Functional):
    """A blend of given shares, of the columns of `Blended`.

    Args:
        model: β, in [0, 1].
        direct: t, in [0, 1].

    Example:
        >>> Blend(0.0, 0.5).value(np.array([0.5, 0.3, 1.0, 0.4, 1.0]))
        0.4
    """

    name: str = "blended"
    n_columns = N_COLUMNS

    def __init__(self, model: float, direct: float) -> None:
        self.model, self.direct = model, direct

    def value(self, means: Array) -> float:
        """The direct part alone where no weight is."""
        if not means[WEIGHT]:
            return float(means[DIRECT])
        left = (means[REWARD] - self.model * means[EXPECTED]) / means[WEIGHT]
        unbiased = self.model * means[DIRECT] + left
        return float((1.0 - self.direct) * unbiased + self.direct * means[DIRECT])

    def gradient(self, means: Array) -> Array:
        """By the quotient rule."""
        gradient = np.zeros(N_COLUMNS)
        weight, kept = means[WEIGHT], 1.0 - self.direct
        gradient[DIRECT] = kept * self.model + self.direct
        if not kept:
            return gradient
        if not weight:
            return np.full(N_COLUMNS, np.nan)
        gradient[REWARD] = kept / weight
        gradient[EXPECTED] = -kept * self.model / weight
        left = means[REWARD] - self.model * means[EXPECTED]
        gradient[WEIGHT] = -kept * left / weight**2
        return gradient

    def trusted(self) -> Blend:
        """Without the direct method beside it."""
        return Blend(self.model, 0.0)

    def stretch(self, tally: Tally) -> float:
        """What the error lacks where the largest weights happen to be missing from the log.

        Where the log has the probability of every action, the mean of squared weights is known
        without chance; the error of the weighted part grows with its root.
        """
        means, n_rows = tally.means, tally.n_rows
        error = tally.standard_error(self.gradient(means))
        square = float(tally.squares[WEIGHT, WEIGHT]) / max(n_rows, 1)
        if not error > 0.0 or not square > 0.0:
            return 1.0
        direct = self.model**2 * float(tally.row_covariance[DIRECT, DIRECT]) / n_rows
        weighted = max(1.0 - direct / error**2, 0.0)
        return math.sqrt(1.0 + weighted * max(float(means[SQUARE]) / square - 1.0, 0.0))


def _share(first: float, second: float, both: float, bias: float) -> float:
    """Of the second of two estimates, for the least mean squared error of their blend.

    Args:
        first: Variance of the first.
        second: Variance of the second.
        both: Their covariance.
        bias: Squared bias of the second.
    """
    error = first + second - 2.0 * both + bias
    return float(min(max((first - both) / error, 0.0), 1.0)) if error > 0.0 else 0.0


def _expected_square(sample: Sample) -> Array:
    """E[weight² | row] where the log has the probability of every action, else weight², (n,)."""
    logging = sample.log.logging
    if logging is None:
        return sample.weight**2
    inverse = np.divide(1.0, logging, out=np.zeros_like(logging), where=logging > 0.0)
    squares: Array = np.einsum("ij,ij,ij->i", sample.target, sample.target, inverse)
    return squares

"""Whether what was shown agrees with the probabilities that were logged for it.

Beside the estimators, which all stand on it: a log whose probabilities are not those that were
drawn from (a greedy choice logged with a softmax, a floor that never was) makes every estimate
wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, ndtr

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST_VARIANCE = 25.0
"""Of a direction's count, from which on it is taken for normal."""
LEAST_SPREAD = 1e-3
"""Of the probability of what is shown, a decision: even probabilities have none."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far what was shown and probabilities of some decisions agree.

    Args:
        n: Decisions.
        chi_square: Of the counts of actions against their expectation.
        degrees: Of freedom; 0 where nothing can be said yet.
        sharpness: Of what was shown, the mean probability against its expectation, in standard
            errors: far above 0 where choices are greedier than their probabilities, far below
            where they are more even.
        p_value: Chance of at least that much, of one or the other, if the probabilities are right.
        inverse_ratio: Mean of 1/p of what was shown, over the mean number of actions that could
            be: 1 but for chance.
    """

    n: int
    chi_square: float
    degrees: int
    sharpness: float
    p_value: float
    inverse_ratio: float


class PropensityCheck:
    r"""Sums over decisions, from which two tests follow.

    Of decision t with probabilities :math:`p_t` let :math:`e_t` be the unit vector of what was
    shown. If that was drawn from :math:`p_t`, then :math:`d = \sum_t (e_t - p_t)` has mean 0 and
    covariance :math:`C = \sum_t (\mathrm{diag}(p_t) - p_t p_t^T)` whatever the contexts were, and
    :math:`d^T C^+ d` is about chi-square with as many degrees as C has directions. Directions with
    a variance below 25 are left out: they are not normal yet. Where contexts make each action as
    likely as any other, counts are right whatever was drawn; the probability of what was shown,
    with mean :math:`\sum_a p_a^2` and second moment :math:`\sum_a p_a^3`, tells then.

    Args:
        n_groups: Of actions; groups may hold several, whose probabilities are added.

    Example:
        >>> check = PropensityCheck(n_groups=2)
        >>> p = np.tile([0.9, 0.1], 1000)
        >>> check.add(np.full(1000, 2), np.tile([0, 1], 1000), p, np.zeros(1000, int))
        >>> check.agreement().p_value < 1e-20  # always the first one: not with probability .9
        True

    References:
        K. Pearson, "On the criterion that a given system of deviations...", Philosophical Magazine
        50 (1900). L. Li et al., "Counterfactual estimation and optimization of click metrics in
        search engines", WWW 2015, section 4.3: 1/p as a check of a log.
    """

    def __init__(self, n_groups: int) -> None:
        self.n = 0
        self._difference = np.zeros(n_groups)
        self._covariance = np.zeros((n_groups, n_groups))
        self._sharper = self._sharper_variance = 0.0
        self._inverse = self._support = 0.0

    def add(
        self,
        lengths: npt.NDArray[np.int_],
        groups: npt.NDArray[np.int_],
        probabilities: npt.NDArray[np.float64],
        chosen: npt.NDArray[np.int_],
    ) -> None:
        """Take decisions in, their candidates one after the other.

        Args:
            lengths: Number of candidates of each decision, shape (n,), at least 1.
            groups: Of each candidate, shape (lengths.sum(),).
            probabilities: Likewise.
            chosen: Which of its candidates each decision showed, shape (n,).
        """
        n, n_groups = len(lengths), len(self._difference)
        starts = lengths.cumsum() - lengths
        shown = starts + chosen
        propensity = probabilities[shown]
        place = np.repeat(np.arange(n), lengths) * n_groups + groups
        grouped = np.bincount(place, probabilities, n * n_groups).reshape(n, n_groups)
        expected = grouped.sum(axis=0)
        squares = probabilities * probabilities
        square = np.add.reduceat(squares, starts)
        cube = np.add.reduceat(squares * probabilities, starts)
        self.n += n
        self._difference += np.bincount(groups[shown], minlength=n_groups) - expected
        self._covariance -= grouped.T @ grouped
        self._covariance.flat[:: n_groups + 1] += expected
        self._sharper += float((propensity - square).sum())
        self._sharper_variance += float((cube - square**2).sum())
        with np.errstate(divide="ignore"):
            self._inverse += float((1.0 / propensity).sum())
        self._support += float(np.count_nonzero(probabilities))

    def agreement(self) -> Agreement:
        """What the sums say."""
        if not self.n:
            return Agreement(0, 0.0, 0, 0.0, 1.0, 1.0)
        variances, directions = np.linalg.eigh(self._covariance)
        normal = variances >= LEAST_VARIANCE
        degrees = int(normal.sum())
        along = directions[:, normal].T @ self._difference
        chi_square = float((along**2 / variances[normal]).sum())
        sharpness = 0.0
        if degrees and self._sharper_variance > LEAST_SPREAD * self.n:
            sharpness = self._sharper / math.sqrt(self._sharper_variance)
        chances = (
            float(chdtrc(degrees, chi_square)) if degrees else 1.0,
            2 * ndtr(-abs(sharpness)),
        )
        ratio = self._inverse / self._support
        p_value = min(1.0, 2 * float(min(chances)))
        return Agreement(self.n, chi_square, degrees, sharpness, p_value, ratio)

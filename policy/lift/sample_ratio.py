"""Sample-ratio mismatch: whether as many visitors are in each group as were assigned to it.

In front of the lift. Where the counts are off, something loses visitors of one group (a redirect, a
crash, a filter), and no lift can be believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, logsumexp

from policy.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Sequence

ALARM = 1e-3
PRIOR_VISITORS = (100.0, 1_000.0, 10_000.0, 100_000.0)
"""Alternatives that are looked for alike: shares that are far off show among few visitors, shares
that are nearly right among many."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """What the counts say.

    Args:
        shares: Of the visitors in each group, (n_groups,).
        p_value: Holds however often one looks: with right shares, the chance that it is ever below
            a number is at most that number.
        is_off: Whether it is below ``ALARM``.
    """

    shares: tuple[float, ...]
    p_value: float
    is_off: bool


def sample_ratio(counts: Sequence[int], intended: Sequence[float]) -> SampleRatio:
    """A test of counts that may be looked at after every visitor.

        1 / p = mean over k of  B(k θ + n) / B(k θ) / prod_j θ_j^{n_j}

    with the intended shares θ and k in ``PRIOR_VISITORS``: the Bayes factor of Dirichlet priors
    about θ against θ, which is a martingale that starts at 1 if θ is true.

    Args:
        counts: Visitors seen in each group, (n_groups,).
        intended: Shares that they were assigned with, above 0, which sum to 1, (n_groups,).

    Raises:
        EvaluationError: Shares or counts that are none.

    References:
        Lindon, Malek. Anytime-Valid Inference for Multinomial Count Data. NeurIPS 2022.

    Example:
        >>> sample_ratio((9_510, 490), (0.95, 0.05)).is_off
        False
        >>> sample_ratio((95_100, 4_300), (0.95, 0.05)).is_off
        True
    """
    seen, shares = np.asarray(counts, np.float64), np.asarray(intended, np.float64)
    if seen.shape != shares.shape or seen.ndim != 1 or len(seen) < 2:
        raise EvaluationError(
            f"{len(seen)} counts and {len(shares)} shares: must be one of each for two groups or "
            "more"
        )
    if not (shares > 0.0).all() or not math.isclose(shares.sum(), 1.0, abs_tol=1e-9):
        raise EvaluationError(f"intended shares are {shares}: must be above 0 and sum to 1")
    if not (seen >= 0.0).all() or not np.isfinite(seen).all():
        raise EvaluationError(f"counts are {seen}: must be at least 0")
    factors = [
        _log_beta(k * shares + seen) - _log_beta(k * shares) - float(seen @ np.log(shares))
        for k in PRIOR_VISITORS
    ]
    evidence = float(logsumexp(factors)) - math.log(len(factors))
    p_value = math.exp(-max(evidence, 0.0))
    total = max(float(seen.sum()), 1.0)
    return SampleRatio(tuple((seen / total).tolist()), p_value, p_value < ALARM)


def _log_beta(parameters: np.ndarray) -> float:
    return float(gammaln(parameters).sum() - gammaln(parameters.sum()))

"""Replay: the log's rows on which the target would have done the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.ope.estimators.base import Estimator, Ratio

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.sample import Sample


class Replay(Ratio, Estimator):
    """Mean reward where target and log agree (rejection sampling, its draw integrated out).

        V = sum_i target(a_i | x_i) r_i  /  sum_i target(a_i | x_i)

    Bias and variance: right only where the log was written uniformly at random over one set of
    actions; elsewhere biased towards what the log preferred. Variance like that of the matching
    rows alone.

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.sample import sample_of
        >>> log = Decisions(("a", "b"), np.array([0, 1]), np.array([1.0, 5.0]), np.full(2, 0.5))
        >>> sample = sample_of(log, np.array([[1.0, 0.0], [1.0, 0.0]]))
        >>> Replay().value(Replay().columns(sample).mean(axis=0))
        1.0

    References:
        Li, Chu, Langford, Wang. Unbiased Offline Evaluation of Contextual-bandit-based News Article
        Recommendation Algorithms. WSDM 2011.
    """

    name: str = "replay"

    def columns(self, sample: Sample) -> Array:
        """Agreement times reward, and agreement."""
        agreement = sample.log.taken(sample.target)
        return np.column_stack((agreement * sample.log.reward, agreement))

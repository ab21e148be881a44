"""Logistic Thompson sampling: each action as often as its chance of a success is sampled highest.

One of the explorers; for rewards that are 0 or 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_model import HybridLinearModel, OwnPriors
from policy.bandits.lints import LinTS
from policy.bandits.posterior_samples import sample_scores, shares_of_best
from policy.base import Policy
from policy.errors import BatchError

if TYPE_CHECKING:
    from typing import Unpack

    from policy.bandits.linear_model import Posterior
    from policy.bandits.linear_policy import LinearOptions
    from policy.bandits.warm_up import Row
    from policy.base import Batch

Array = npt.NDArray[np.float64]

LEAST_SLOPE = 1e-3
"""Of the logistic function: rows that are this sure count as if they were a little less so."""

LARGEST_LOGIT = 30.0

ROUNDING = 1e-9
"""What sums of rewards may lie outside of [0, 1]."""


class LogisticTS(LinTS):
    """Thompson sampling with P(success) = logistic(η), η = z·β + x·θ_a.

    The posterior of the weights is kept Gaussian by one Newton step a row. With m and v the mean
    and variance of η, p = logistic(m / sqrt(1 + π v / 8)) its predicted chance and w = p (1 - p),
    a row with reward r is learned as a row of linear regression with noise variance 1 / w and
    response

        m + (r - p) / w

    So all that the linear model does comes for free. A decision samples η of all candidates
    ``n_samples`` times, and *is* the distribution of which one had the best logistic(η) - cost,
    as in ``LinTS``.

    Rewards are chances: 0 or 1, or between. They enter the posterior by r x alone, without w or p,
    so that a correction (a refund of a 1) is learned exactly as if the row had come with the new
    reward at the same place in the log and all else had been linearised as it was. The
    linearisation itself keeps ``remove`` and ``merge`` from being exact: they are not supported.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        alpha: Scale of the posterior's standard deviation, at least 0.
        n_samples: Samples a decision, even, 2 to 100,000.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Batch, Candidates
        >>> policy = LogisticTS(1, 0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.update(
        ...     Batch(np.ones((9, 1)), np.zeros((9, 0)), ("a",) * 9, np.ones(9), np.ones(9, bool))
        ... )
        >>> a, b = policy.expected_rewards(np.ones(1), pair)
        >>> bool(0.8 < a < 1.0 and b == 0.5)
        True

    References:
        Chapelle, Li. An Empirical Evaluation of Thompson Sampling. NeurIPS 2011, algorithm 3.
        MacKay. The Evidence Framework Applied to Classification Networks. Neural Computation 4(5),
        1992 (the predicted chance).
    """

    kind: ClassVar[str] = "logistic_ts"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        alpha: float = 0.25,
        n_samples: int = 64,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, alpha=alpha, n_samples=n_samples, **options)

    def _new_model(self) -> HybridLinearModel:
        given = self.given
        return HybridLinearModel(
            self.n_context,
            self.n_shared,
            prior_shared=given["prior_shared"],
            own=OwnPriors(given["prior_intercept"], given["prior_action"]),
            half_life=given["half_life"],
            # How chances scatter follows from the chance: rows come scaled by it.
            noise=1.0,
        )

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        posterior = self.model.posterior(x, z, ids)
        samples = sample_scores(posterior, self.alpha, self.n_pairs, rng)
        if isinstance(costs, np.ndarray):
            # Without costs the best chance is that of the best logit.
            samples = _logistic(samples)
            samples -= costs
        return shares_of_best(samples), _chances(posterior)

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        return _chances(self.model.posterior(x, z, ids))

    def _update(self, batch: Batch) -> None:
        _refuse_no_chances(batch)
        super()._update(batch)

    def _learn_row(self, row: Row) -> None:
        posterior = self.model.posterior(row.x, row.z[None], (row.action_id,))
        logit, chance = float(posterior.means[0]), float(_chances(posterior)[0])
        slope = max(chance * (1.0 - chance), LEAST_SLOPE)
        root = math.sqrt(slope)

        def response(reward: float) -> float:
            return (logit + (reward - chance) / slope) * root

        (slot,) = self.model.blocks.slots_for((row.action_id,))
        x, z = row.x * root, row.z * root
        if row.first:
            self.model.learn(slot, x, z, response(row.reward))
            self.record.count(slot - 1, row.reward, (row.reward - chance) / root)
        else:
            # The response moves by reward / root, and the row is root times as long: together they
            # change what is learned by reward · x, whatever the slope was when it was learned.
            self.model.correct(slot, x, z, row.reward / root, response(row.before))
            self.record.correct(slot - 1, row.reward, row.before)

    # Rows were linearised at what was known when they came: not the same without others, or after.
    _remove = Policy._remove
    _merge = Policy._merge


def _refuse_no_chances(batch: Batch) -> None:
    earned = batch.rewards if batch.before is None else batch.rewards + batch.before
    outside = np.flatnonzero(np.abs(earned - 0.5) > 0.5 + ROUNDING)
    if len(outside):
        row = int(outside[0])
        what = "rewards" if batch.first[row] else "before + rewards"
        raise BatchError(
            f"{what}[{row}] is {earned[row]:g}: logistic_ts learns chances, from 0 to 1; scale the "
            "rewards or choose lints"
        )


def _chances(posterior: Posterior) -> Array:
    """Predicted chances: the logistic function averaged over each candidate's logit."""
    spread = np.dot(posterior.residuals, posterior.shared_covariance)
    spread *= posterior.residuals
    variances: Array = np.add.reduce(spread, axis=1) + posterior.own_variances
    return _logistic(posterior.means / np.sqrt(1.0 + math.pi / 8.0 * np.maximum(variances, 0.0)))


def _logistic(logits: Array) -> Array:
    """1 / (1 + exp(-logits)), in place."""
    np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT, out=logits)
    np.negative(logits, out=logits)
    np.exp(logits, out=logits)
    logits += 1.0
    np.reciprocal(logits, out=logits)
    return logits

"""Optimistic RegCB: the action whose reward could be highest, by any regression that still fits.

One of the explorers over the linear model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_policy import LinearOptions, LinearPolicy, share_of_best
from policy.bandits.reward_range import RewardRange
from policy.bandits.warm_up import rows_of
from policy.bounds import parameter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from policy.base import Batch
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]


class RegCB(LinearPolicy):
    """All mass on the highest upper end of the version space, then the floor.

    A regression f still fits when its squared loss on the log is within Δ of the least. For the
    linear model, where the loss grows from its least as (θ - θ̂)ᵀ A (θ - θ̂), the largest reward
    that such an f gives to candidate a has a closed form; nothing above the largest reward ever
    earned is believed:

        ucb(a) = min(mean(a) + sqrt(Δ xᵀA⁻¹x), high),   Δ = c0 ln(n_actions n) (high - low)²

    How it differs from LinUCB, whose width is alpha sqrt(σ² xᵀA⁻¹x): the width grows with the
    logarithm of the rows n; it is in units of the range of rewards rather than of the noise, which
    a good fit does not shrink; and bounds above ``high`` are equal, so that what is unknown is
    tried evenly instead of in the order of its uncertainty.

    Every row counts once, whatever its probability was: what the paper analyses, and what
    importance weights of multi-task regression (MTR) come down to for a model that all policies
    share.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        c0: Mellowness: how much loss a regression may have beyond the least, at least 0.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Batch, Candidates
        >>> policy = RegCB(1, 0, floor=0.0)
        >>> policy.update(
        ...     Batch(np.ones((2, 1)), np.zeros((2, 0)), ("a", "b"), np.eye(2)[0], np.ones(2, bool))
        ... )
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([1., 0.])

    References:
        Foster, Agarwal, Dudík, Luo, Schapire. Practical Contextual Bandits with Regression
        Oracles. ICML 2018.
        Bietti, Agarwal, Langford. A Contextual Bandit Bake-off. JMLR 22, 2021.
    """

    kind: ClassVar[str] = "regcb"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        c0: float = 0.01,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.c0 = parameter("c0", c0, 0.0, 1e6)
        self._rewards = RewardRange()

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        means, scores = self.model.means_and_variances(x, z, ids)
        slack = self.c0 * math.log(len(ids) * max(self.n_updates, 1)) * self._rewards.width**2
        # The model's variances are in units of reward; a version space knows of no noise.
        noise = self.model.noise_variance
        scores *= slack / noise if noise > 0.0 else 0.0
        np.sqrt(scores, out=scores)
        scores += means
        if self.n_updates:
            np.minimum(scores, self._rewards.high, out=scores)
        scores -= costs
        return share_of_best(scores), means

    def _update(self, batch: Batch) -> None:
        super()._update(batch)
        self._rewards.add(_earned(batch))

    def _remove(self, batch: Batch) -> None:
        left = RewardRange.from_json(self._rewards.as_json())
        left.take_out(_earned(batch))
        super()._remove(batch)
        self._rewards = left

    def _merge(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        theirs = RewardRange.from_json(manifest.get("reward_counts"))
        super()._merge(manifest, arrays)
        self._rewards.merge(theirs)

    def _state(self) -> tuple[dict[str, JSON], dict[str, Array]]:
        manifest, arrays = super()._state()
        return {**manifest, "reward_counts": self._rewards.as_json()}, arrays

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        theirs = RewardRange.from_json(manifest.get("reward_counts"))
        super()._load_state(manifest, arrays)
        self._rewards = theirs


def _earned(batch: Batch) -> list[float]:
    """What each row's decision had earned by then."""
    return [row.before + row.reward for row in rows_of(batch)]

"""CATS: a price out of a continuum, by a policy over smoothed bins of it.

One policy beside those that choose among actions: any of them can be the one that chooses the bin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.price_bins import PriceBins
from policy.base import Batch, Policy
from policy.bounds import LARGEST_FEATURE, bounded
from policy.catalog.price_range import CENTS_PER_UNIT
from policy.errors import DecisionError, ParameterError, StateError, shown
from policy.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.bandits.arm_record import ArmSummary
    from policy.bounds import Floats
    from policy.catalog.price_range import PriceRange
    from policy.density import Density
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]

PRICE_FEATURES = ("price",)
"""What a row holds beside its context: the price, in units of 100 cents."""

NO_CHOOSERS = frozenset({"logistic_ts", "neural_linear", "segmented"})
"""Policies that cannot choose bins: their rewards are chances, or they need the context itself."""

_KNOTS = np.linspace(-1.0, 1.0, 5)
_SPACING = 0.5
_INTERCEPT = np.ones(1)


def bin_features(n_context: int) -> int:
    """How many shared features the policy over bins takes, for contexts of this length."""
    return len(_KNOTS) * n_context


class Cats(Policy):
    """Draws a price with a known density, and learns from what the price drawn has earned.

    A policy over a few bins of prices gives each a probability; the price is then drawn evenly from
    the bin's window. With w_b the window of bin b, cut off where the allowed prices A end, and q
    what the policy says of the bins that are left, the density is

        f(v) = (1 - floor) Σ_b q(b) 1[v in w_b] / width(w_b)  +  floor / width(A)

    on A, and 0 elsewhere. Windows end half-way between two prices, so the probability of a price on
    a grid of ``step_cents`` is f(price) · step_cents, exactly.

    What a price is expected to earn is linear in the context, with weights that change linearly
    between five prices: neighbours learn from each other. A bin has an intercept of its own for
    what that does not fit. Bins are scored at their centre; a row is learned at its exact price.
    Rows of prices outside of the range, from before it was changed, teach nothing.

    As a ``Policy`` it distributes over some given prices: each gets its share of what its bin's
    window would have got. Features are then the prices in units of 100 cents, (n_prices, 1).

    Args:
        policy: Chooses bins. Takes 1 context feature and ``bin_features(n_context)`` others, and
            has learned nothing. Its own floor plays no part.
        n_context: Length of a context; its first entry is the intercept 1.
        prices: The range.
        n_bins: How finely prices are told apart.
        bandwidth_cents: How far the price is smoothed on either side of a bin's centre; None for as
            far as the bin.
        floor: Share of draws spread evenly over what is allowed, in [0, 1).

    Raises:
        ParameterError: The policy is of other dimensions, or a parameter is out of its range.

    Example:
        >>> from policy.bandits.build import make_policy
        >>> from policy.catalog.price_range import PriceRange
        >>> chooser = make_policy("squarecb", 1, bin_features(1))
        >>> policy = Cats(chooser, 1, PriceRange(500, 1_495, 5), n_bins=4, floor=0.2)
        >>> density = policy.density(np.ones(1), range(600, 1_000, 5), np.random.default_rng(0))
        >>> density.edges, density.masses.round(3)
        (array([597.5, 747.5, 997.5]), array([0.475, 0.525]))

    References:
        Majzoubi, Zhang, Chari, Krishnamurthy, Langford, Slivkins. Efficient Contextual Bandits with
        Continuous Actions. NeurIPS 2020.
        Krishnamurthy, Langford, Slivkins, Zhang. Contextual Bandits with Continuous Actions:
        Smoothing, Zooming, and Adapting. COLT 2019.
    """

    kind: ClassVar[str] = "cats"

    def __init__(
        self,
        policy: Policy,
        n_context: int,
        prices: PriceRange,
        *,
        n_bins: int = 16,
        bandwidth_cents: float | None = None,
        floor: float = 0.01,
    ) -> None:
        super().__init__(n_context, len(PRICE_FEATURES), floor=floor)
        sizes = (policy.n_context, policy.n_shared)
        if sizes != (1, bin_features(n_context)):
            raise ParameterError(
                f"the policy over bins takes {sizes[0]} context and {sizes[1]} shared features: "
                f"must be 1 and {bin_features(n_context)}, {len(_KNOTS)} for each of the context"
            )
        self.policy = policy
        self.bins = PriceBins(prices, n_bins, bandwidth_cents)

    def density(self, context: Floats, allowed: range, rng: np.random.Generator) -> Density:
        """The density of the price to draw.

        Args:
            context: (n_context,).
            allowed: The prices that may be drawn: at least one, neighbours, of the range.
            rng: Used by policies over bins that sample.

        Returns:
            In cents; with a floor above 0 everywhere over the cells of what is allowed.

        Raises:
            DecisionError: No price is allowed, or one that is not in the range; or the context is
                of another shape, NaN or infinite.
        """
        x = bounded("context", context, (self.n_context,), LARGEST_FEATURE, DecisionError)
        every = self.bins.prices.all
        known = allowed and allowed[0] in every and allowed[-1] in every
        if not known or allowed.step != every.step:
            rule = f"must be one or more neighbours out of {every}"
            raise DecisionError(f"allowed prices are {shown(allowed)}: {rule}")
        windows = self.bins.within(allowed)
        if len(windows.ids) == 1:
            return windows.density(np.ones(1), self.floor)
        z = self._features(x, windows.centres)
        probabilities, _ = self.policy._decide(_INTERCEPT, z, windows.ids, 0.0, rng)
        return windows.density(probabilities, self.floor)

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        cents = z[:, 0] * CENTS_PER_UNIT
        windows = self.bins.within(self.bins.prices.all)
        member = windows.members(cents)
        usable = np.flatnonzero(member.any(axis=0))
        means = self._expected_rewards(x, z, ids)
        if not len(usable):
            return np.full(len(ids), 1.0 / len(ids)), means
        shares = member[:, usable] / np.add.reduce(member[:, usable], axis=0)
        if len(usable) == 1:
            return shares[:, 0], means
        probabilities, _ = self.policy._decide(
            _INTERCEPT,
            self._features(x, windows.centres[usable]),
            tuple(windows.ids[i] for i in usable),
            costs if isinstance(costs, float) else np.dot(costs, shares),
            rng,
        )
        return np.dot(shares, probabilities), means

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        cents = z[:, 0] * CENTS_PER_UNIT
        features = self._features(x, cents)
        return self.policy._expected_rewards(_INTERCEPT, features, self.bins.names(cents))

    def summary(self) -> list[ArmSummary]:
        """Each bin that was learned from, by its first and last price in cents."""
        return self.policy.summary()

    def _explain(self, x: Array, z: Array, ids: tuple[str, ...]) -> Explanation:
        cents = z[:, 0] * CENTS_PER_UNIT
        parts = self.policy._explain(_INTERCEPT, self._features(x, cents), self.bins.names(cents))
        of_context = parts.features.reshape(len(ids), len(_KNOTS), self.n_context).sum(axis=1)
        deviations = parts.deviations
        return Explanation(ids, parts.expected, deviations, of_context, parts.context, parts.rest)

    def _update(self, batch: Batch) -> None:
        self.policy.update(self._of_bins(batch))

    def _remove(self, batch: Batch) -> None:
        self.policy.remove(self._of_bins(batch))

    def _merge(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        self.policy.merge(self._checked_bins(manifest), arrays)

    def _state(self) -> tuple[dict[str, JSON], dict[str, Array]]:
        manifest, arrays = self.policy.state()
        return {"bin_ids": list(self.bins.ids), "bins": manifest}, arrays

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        self.policy.load_state(self._checked_bins(manifest), arrays)

    def _checked_bins(self, manifest: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """The state of the policy over bins, where the bins are the same."""
        ids, bins = manifest.get("bin_ids"), manifest.get("bins")
        if ids != list(self.bins.ids):
            raise StateError(
                f"saved state has the bins {shown(ids)}: this policy has "
                f"{shown(list(self.bins.ids))}; relearn it from the log"
            )
        if not isinstance(bins, dict):
            raise StateError(f"bins is {shown(bins)}: must be the state of a policy")
        return bins

    def _of_bins(self, batch: Batch) -> Batch:
        """The rows as the policy over bins learns them."""
        cents = np.round(batch.features[:, 0] * CENTS_PER_UNIT)
        prices = self.bins.prices
        kept = np.flatnonzero((cents >= prices.min_cents) & (cents <= prices.max_cents))
        cents = cents[kept]
        return Batch(
            np.ones((len(kept), 1)),
            self._features(np.asarray(batch.contexts[kept], np.float64), cents),
            self.bins.names(cents),
            batch.rewards[kept],
            batch.first[kept],
            None if batch.before is None else batch.before[kept],
        )

    def _features(self, x: Array, cents: Array) -> Array:
        """The context at each of the knots, in the shares in which a price lies at them.

        Args:
            x: (n_context,), or (n, n_context).
            cents: (n,).

        Returns:
            (n, n_knots · n_context).
        """
        t = np.clip(self.bins.prices.scaled(cents), -1.0, 1.0)
        shares = np.maximum(1.0 - np.abs(t[:, None] - _KNOTS) / _SPACING, 0.0)
        products = shares[:, :, None] * x.reshape(-1, 1, self.n_context)
        return products.reshape(len(cents), -1)

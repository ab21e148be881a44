"""The hybrid linear model with one more level: what an action's segments have of their own.

Between the linear model, which holds what an action's segments share, and the segmented policy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bandits.action_blocks import PRIOR_SLOT
from policy.bandits.evidence import PriorGroup, Priors
from policy.bandits.linear_algebra import add_outer, inverse, spread_of
from policy.bandits.linear_model import (
    ESTIMATED,
    HybridLinearModel,
    OwnPriors,
    Posterior,
    saved_array,
)
from policy.bandits.segment_pairs import SegmentPairs, Segments
from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = npt.NDArray[np.float64]


class SegmentedModel(HybridLinearModel):
    """r = z·β + x·θ_{a,s} + noise, with θ_{a,s} ~ N(θ_a, σ² / prior_segment).

    A pair of an action a and a segment s has its deviation from θ_a in a block of rows that meet
    the context in one product, as an action has in the hybrid model, with [z; x] for what is
    shared:

        block = [u; Wᵀ; P]   with P = (Σ x xᵀ + prior_segment)⁻¹, u = P Σ x r, W = P Σ x [z; x]ᵀ

    A row (x, z, r) less what the pair's block makes of it is [e, z₁, x₁], of noise variance
    s = 1 + xᵀP x. For the levels above it is a row as any other, of noise s: the hybrid model
    learns (x₁, z₁, e) / √s. Each update is exact and costs one more block, whatever the number
    of segments. A pair that was never learned costs nothing and reads as its action does.

    A pair also keeps G = Σ [r; z; x] [r; z; x]ᵀ, which adds up. What is left of G when the
    deviation is taken out, G - G_x P G_xᵀ, are the statistics of the level above: everything is
    solved from them afresh, as in the hybrid model, with ``prior_segment`` estimated too.

    Args:
        n_context: d, length of x; x[0] is taken to be the intercept.
        n_shared: k, length of z.
        segments: Where x has the segment's code.
        prior_segment: Precision of what a segment has of its own; None estimates it.
        prior_shared: See ``HybridLinearModel``.
        own: Likewise.
        half_life: Likewise.

    Example:
        >>> model = SegmentedModel(3, 0, segments=Segments(1, 2), prior_segment=1.0)
        >>> (slot,) = model.blocks.slots_for(["a"])
        >>> for _ in range(40):
        ...     _ = model.learn(slot, np.array([1.0, 1.0, 0.0]), np.ones(0), 1.0)
        ...     _ = model.learn(slot, np.array([1.0, 0.0, 1.0]), np.ones(0), -1.0)
        >>> model.means(np.array([1.0, 1.0, 0.0]), np.ones((1, 0)), ("a",)).round(1)
        array([1.])

    References:
        Li, Chu, Langford, Schapire. A Contextual-Bandit Approach to Personalized News Article
        Recommendation. WWW 2010, Algorithm 2.
        Gelman, Hill. Data Analysis Using Regression and Multilevel/Hierarchical Models. Cambridge
        2007, chapter 12.
    """

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        segments: Segments,
        prior_segment: float | None = None,
        prior_shared: float | None = None,
        own: OwnPriors = ESTIMATED,
        half_life: float | None = None,
    ) -> None:
        self.segments = segments
        # Until there is something to estimate from, segments are rather alike.
        self.segment_priors = Priors(
            (PriorGroup("prior_segment", n_context, prior_segment, initial=4.0),)
        )
        self.pairs = SegmentPairs(segments.n, 1 + n_shared + n_context, n_context)
        super().__init__(
            n_context, n_shared, prior_shared=prior_shared, own=own, half_life=half_life
        )

    def means(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        """As in ``HybridLinearModel``."""
        return self.posterior(x, z, ids).means

    def means_and_variances(self, x: Array, z: Array, ids: tuple[str, ...]) -> tuple[Array, Array]:
        """As in ``HybridLinearModel``."""
        found = self.posterior(x, z, ids)
        spread = np.dot(found.residuals, found.shared_covariance)
        variances = np.einsum("ak,ak->a", spread, found.residuals) + found.own_variances
        return found.means, np.maximum(variances, 0.0, out=variances)

    def posterior(self, x: Array, z: Array, ids: tuple[str, ...]) -> Posterior:
        """As in ``HybridLinearModel``; the own part is the action's and its segment's."""
        lower = self.pairs.products(self.segments.of(x), x, ids)
        own = np.dot(lower[:, self._n_rows :], x)
        return self._posterior_above(lower[:, : self._n_rows], own, x, z, ids)

    def deviations(self, x: Array, ids: tuple[str, ...]) -> Array:
        """θ_{a,s} - θ_a of each action in the segment of x, (n_actions, n_context)."""
        blocks = self.pairs.blocks(self.segments.of(x), ids)
        above = [self.blocks[self._slot(action_id)] for action_id in ids]
        return np.array([self._deviation(*pair) for pair in zip(blocks, above, strict=True)])

    def at_average(self) -> tuple[Array, Array]:
        """As in ``HybridLinearModel``, with each segment as often as it has come."""
        split, width, ids = 1 + self.n_shared, self._n_rows, self.blocks.action_ids
        counts, features = np.full(len(ids), 1e-9), np.zeros((len(ids), self.n_shared))
        parts = np.zeros((self.segments.n + 1, self.blocks.block_shape[1]))
        for pair in self.pairs:
            ones = pair.gram[split]  # Σ [r; z; x], since x[0] is 1
            counts[self._slot(pair.action_id) - 1] += ones[split]
            features[self._slot(pair.action_id) - 1] += ones[1:split]
            parts[pair.segment] += ones[split:]
        parts /= counts.sum()
        lower, own = np.zeros((len(ids), width)), np.zeros(len(ids))
        for segment, x in enumerate(parts):
            products = self.pairs.products(segment, x, ids)
            lower += products[:, :width]
            own += np.dot(products[:, width:], x)
        z = features / counts[:, None]
        found = self._posterior_above(lower, own, parts.sum(axis=0), z, ids)
        spread = np.dot(found.residuals, np.dot(found.shared_covariance, found.residuals.T))
        return found.means, spread + np.diag(found.own_variances)

    def learn(self, slot: int, x: Array, z: Array, reward: float) -> float:
        """As in ``HybridLinearModel``."""
        weight, split = self.weight * self._growth, 1 + self.n_shared
        row = np.concatenate([[reward], z, x])
        pair = self.pairs.pair(self.segments.of(x), self.blocks.action_ids[slot - 1])
        gram = pair.gram
        add_outer(gram, row, row, weight)
        if pair.block is None:
            return super().learn(slot, x, z, reward)
        gain = _take_out(pair.block, row, x)
        noise = 1.0 / weight + spread_of(gain, x)
        # Square roots on both sides, so that P stays symmetric.
        gain /= math.sqrt(noise)
        block = pair.block
        add_outer(block, np.concatenate([row / math.sqrt(noise), -gain]), gain)
        row /= math.sqrt(noise * weight)
        return super().learn(slot, row[split:], row[1:split], float(row[0]))

    def correct(self, slot: int, x: Array, z: Array, change: float, before: float) -> None:
        """As in ``HybridLinearModel``."""
        step, split = self.weight * change, 1 + self.n_shared
        row = np.concatenate([[0.0], z, x])
        pair = self.pairs.pair(self.segments.of(x), self.blocks.action_ids[slot - 1])
        pair.gram[0] += step * row
        pair.gram[:, 0] += step * row
        pair.gram[0, 0] += step * (change + 2.0 * before)
        if pair.block is None:
            super().correct(slot, x, z, change, before)
            return
        gain = _take_out(pair.block, row, x)
        pair.block[0] += step * gain
        # What the level above takes for the old reward, so that its sum of squares comes out.
        left = before + float(row[0]) - step * float(np.dot(gain, x)) / 2.0
        super().correct(slot, row[split:], row[1:split], change, left)

    def remove(self, slot: int, x: Array, z: Array, reward: float) -> None:
        """As in ``HybridLinearModel``."""
        row = np.concatenate([[reward], z, x])
        gram = self.pairs.pair(self.segments.of(x), self.blocks.action_ids[slot - 1]).gram
        add_outer(gram, row, row, -1.0)
        self.n -= 1.0
        self.n_rows -= 1

    def refit(self) -> None:
        """As in ``HybridLinearModel``."""
        self.segment_priors.reset()
        super().refit()

    def merge(
        self,
        action_ids: Sequence[str],
        arrays: Mapping[str, Array],
        scalars: Mapping[str, float],
    ) -> None:
        """As in ``HybridLinearModel``."""
        self._checked(action_ids, arrays)
        theirs = self._restored_pairs(action_ids, arrays)
        share = self.weight / scalars["weight"]
        self.blocks.slots_for(action_ids)
        for pair in theirs:
            mine = self.pairs.pair(pair.segment, pair.action_id).gram
            mine += pair.gram * share
        self.n += scalars["n"] * share
        self.n_rows += int(scalars["n_rows"])
        self.refit()

    def arrays(self) -> dict[str, Array]:
        """As in ``HybridLinearModel``, and the pairs."""
        precision = {"segment_precision": self.segment_priors.values.copy()}
        return super().arrays() | precision | self.pairs.arrays(self.blocks.action_ids)

    def restore(
        self,
        action_ids: Sequence[str],
        arrays: Mapping[str, Array],
        scalars: Mapping[str, float],
    ) -> None:
        """As in ``HybridLinearModel``."""
        pairs = self._restored_pairs(action_ids, arrays)
        precision = saved_array(arrays, "segment_precision", (1,))
        if not precision[0] > 0.0:
            raise StateError(f"saved segment_precision is {precision[0]:g}: must be above 0")
        super().restore(action_ids, arrays, scalars)
        self.pairs, self.segment_priors.values = pairs, precision.copy()
        pairs.set_prior(self.segment_priors.precisions)

    def _restored_pairs(
        self, action_ids: Sequence[str], arrays: Mapping[str, Array]
    ) -> SegmentPairs:
        n_context = self.blocks.block_shape[1]
        return SegmentPairs.restored(self.segments.n, self._n_rows, n_context, action_ids, arrays)

    def _slot(self, action_id: str) -> int:
        known = action_id in self.blocks
        return self.blocks.slots_for((action_id,))[0] if known else PRIOR_SLOT

    def _posterior_above(
        self, lower: Array, own: Array, x: Array, z: Array, ids: tuple[str, ...]
    ) -> Posterior:
        """Of what pairs leave to the levels above.

        Args:
            lower: [u; Wᵀ] of each action's pairs times x, (n_actions, 1 + n_shared + n_context).
            own: xᵀP x of its pairs, (n_actions,).
            x: (n_context,).
            z: (n_actions, n_shared).
            ids: (n_actions,).
        """
        split = 1 + self.n_shared
        above = x - lower[:, split:]
        upper = self.blocks.products(x, ids, self._n_rows)
        # What meets the action's block is x itself, aside from pairs that were learned.
        for row in np.flatnonzero(lower[:, split:].any(axis=1)).tolist():
            block = self.blocks[self._slot(ids[row])][: self._n_rows]
            np.dot(block, above[row], out=upper[row])
        residuals = z - lower[:, 1:split] - upper[:, 1:split]
        means = np.dot(residuals, self._shared[0]) + lower[:, 0] + upper[:, 0]
        variances = np.maximum(np.einsum("ad,ad->a", upper[:, split:], above), 0.0)
        variances += np.maximum(own, 0.0)
        unit = self.noise_variance * self.weight
        return Posterior(means, residuals, self._shared[1:] * unit, variances * unit)

    def _renormalise(self) -> None:
        self.pairs.rescale(1.0 / self.weight)
        super()._renormalise()

    def _solve(self) -> None:
        """The statistics of the hybrid model from those of the pairs, then its posterior."""
        self.pairs.set_prior(self.segment_priors.precisions)
        split, rows = 1 + self.n_shared, self._n_rows
        self.blocks.learned()[:, rows:] = 0.0
        self._shared_sums[:] = 0.0
        self.square_sum = total = 0.0
        for pair in self.pairs:
            left = pair.gram if pair.block is None else self._solve_pair(pair.gram, pair.block)
            self.blocks[self._slot(pair.action_id)][rows:] += left[:, split:]
            self._shared_sums += left[:split, 1:split]
            self.square_sum += float(left[0, 0])
            total += float(pair.gram[0, 0])
        # Where nearly all is explained, the difference is rounding.
        self.square_sum = max(self.square_sum, 1e-15 * abs(total))
        super()._solve()

    def _solve_pair(self, gram: Array, block: Array) -> Array:
        """The pair's block from its statistics; what they leave to the level above."""
        split, width = 1 + self.n_shared, self._n_rows
        precisions = self.segment_priors.precisions
        precision = gram[split:, split:] + np.diag(precisions)
        block[width:] = inverse(precision, precisions, np.sqrt(np.diagonal(precision)))
        np.dot(gram[:, split:], block[width:], out=block[:width])
        left: Array = gram - np.dot(block[:width], gram[split:])
        # The same without its cancellation: G - W (P⁻¹ - prior) = W prior.
        np.multiply(block[:width], precisions, out=left[:, split:])
        return left

    def _priors_are_given(self) -> bool:
        return super()._priors_are_given() and self.segment_priors.are_given

    def _estimate_priors(self) -> None:
        super()._estimate_priors()
        self._estimate_segment_prior()

    def _estimate_segment_prior(self) -> None:
        learned = [
            (pair.block, self.blocks[self._slot(pair.action_id)])
            for pair in self.pairs
            if pair.block is not None
        ]
        if learned:
            weights = np.array([self._deviation(*blocks) for blocks in learned])
            variances = np.array([self._deviation_variances(*blocks) for blocks in learned])
            self.segment_priors.estimate(weights, variances, self.noise_variance, self.n)

    def _deviation(self, block: Array, above: Array) -> Array:
        """θ_{a,s} - θ_a = u - W_x θ_a - W_z β, from a pair's block and its action's."""
        split, width = 1 + self.n_shared, self._n_rows
        shared = self._shared[0]
        own = above[0] - np.dot(shared, above[1:split])
        mean: Array = block[0] - np.dot(own, block[split:width]) - np.dot(shared, block[1:split])
        return mean

    def _deviation_variances(self, block: Array, above: Array) -> Array:
        """Of the same, whatever θ_a and β are, in units of the noise."""
        split, width = 1 + self.n_shared, self._n_rows
        on_own = block[split:width]
        on_shared = block[1:split] - np.dot(above[1:split], on_own)
        variances = np.diagonal(block[width:]).copy()
        variances += np.einsum("ij,ij->j", on_own, np.dot(above[split:width], on_own))
        variances += np.einsum("ij,ij->j", on_shared, np.dot(self._shared[1:], on_shared))
        return variances


def _take_out(block: Array, row: Array, x: Array) -> Array:
    """Less what a pair's block makes of a row [r; z; x], in place; returns P x."""
    products = np.dot(block, x)
    row -= products[: len(row)]
    gain: Array = products[len(row) :]
    return gain

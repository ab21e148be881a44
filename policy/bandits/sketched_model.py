"""A hybrid linear model with many own weights, whose variances come from a sketch.

Between the linear model and policies that lift the context to many features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bandits.action_blocks import ActionBlocks
from policy.bandits.linear_algebra import add_outer
from policy.bandits.linear_model import (
    ESTIMATED,
    HybridLinearModel,
    OwnPriors,
    saved_array,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = npt.NDArray[np.float64]

_SEED = 41
SKETCH_SIZE = 32


class SketchedLinearModel(HybridLinearModel):
    """Means exact, the own part of the variances in a random subspace.

    The variance of d own weights costs d² an action and decision. Here it is that of the same
    model held to s = 32 random combinations of the features, q = Rᵀ D x with the prior's standard
    deviations D and E[R Rᵀ] = I, which costs s²:

        qᵀ (I + Σ q qᵀ)⁻¹ q

    It falls as contexts like this one have been seen with the action, which is what exploration
    needs of it. Like the posterior it follows from the statistics, Σ q qᵀ = Rᵀ D A_a D R.

    Args:
        n_context: d, length of x.
        n_shared: k, length of z.
        own: Precisions of the own weights, see ``HybridLinearModel``.
        half_life: Likewise.

    References:
        Kuzborskij, Cella, Cesa-Bianchi. Efficient Linear Bandits through Matrix Sketching.
        AISTATS 2019.
    """

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        prior_shared: float | None = None,
        own: OwnPriors = ESTIMATED,
        half_life: float | None = None,
    ) -> None:
        rng = np.random.Generator(np.random.Philox(key=_SEED))
        normals = rng.standard_normal((n_context, SKETCH_SIZE))
        self._directions = normals / np.sqrt(SKETCH_SIZE)
        self._projection = self._directions
        self._sketches = ActionBlocks(np.eye(SKETCH_SIZE))
        super().__init__(
            n_context, n_shared, prior_shared=prior_shared, own=own, half_life=half_life
        )

    def means_and_variances(self, x: Array, z: Array, ids: tuple[str, ...]) -> tuple[Array, Array]:
        """As in ``HybridLinearModel``, with the own part of the variances from the sketch."""
        means, variances = self.of_shared(z, self.blocks.products(x, ids, 1 + self.n_shared))
        q = np.dot(x, self._projection)
        variances += np.dot(self._sketches.products(q, ids, SKETCH_SIZE), q)
        np.maximum(variances, 0.0, out=variances)
        variances *= self.noise_variance * self.weight
        return means, variances

    def learn(self, slot: int, x: Array, z: Array, reward: float) -> float:
        """As in ``HybridLinearModel``."""
        for action_id in self.blocks.action_ids[len(self._sketches.action_ids) :]:
            self._sketches.slots_for((action_id,))
        sketch, q = self._sketches[slot], np.dot(x, self._projection)
        g = np.dot(sketch, q)
        g *= 1.0 / np.sqrt(1.0 / (self.weight * self._growth) + max(float(np.dot(g, q)), 0.0))
        add_outer(sketch, g, g, -1.0)
        return super().learn(slot, x, z, reward)

    def arrays(self) -> dict[str, Array]:
        """As in ``HybridLinearModel``, and the sketches."""
        return {**super().arrays(), "sketches": self._sketches.copy_learned()}

    def restore(
        self,
        action_ids: Sequence[str],
        arrays: Mapping[str, Array],
        scalars: Mapping[str, float],
    ) -> None:
        """As in ``HybridLinearModel``."""
        shape = (len(action_ids), SKETCH_SIZE, SKETCH_SIZE)
        sketches = saved_array(arrays, "sketches", shape)
        super().restore(action_ids, arrays, scalars)
        self._sketches.replace_learned(action_ids, sketches)
        self._set_projection()

    def _solve(self) -> None:
        super()._solve()
        self._set_projection()
        self._sketches.slots_for(self.blocks.action_ids)
        rows, split, projection = self._n_rows, 1 + self.n_shared, self._projection
        identity = np.eye(SKETCH_SIZE)
        for stack, sketch in zip(self.blocks.learned(), self._sketches.learned(), strict=True):
            seen = np.dot(projection.T, np.dot(stack[rows + split :], projection))
            sketch[:] = np.linalg.inv(identity + (seen + seen.T) / 2.0)

    def _set_projection(self) -> None:
        self._projection = self._directions / np.sqrt(self.own_priors.precisions)[:, None]

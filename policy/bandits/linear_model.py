"""Hybrid ridge regression: what all actions share, and what is each action's own.

The core under every linear bandit; its posterior is kept by rank-one updates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.bandits.action_blocks import ActionBlocks
from policy.bounds import parameter
from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What the model believes about each candidate's reward, in units of the noise's variance.

    The score of candidate a is ``residuals[a] · beta + own``: its uncertainty has a part that all
    candidates share, ``residuals[a]ᵀ P₀ residuals[a]``, and one of its own.

    Args:
        means: Expected rewards, (n_actions,).
        residuals: Shared features less what the action's own block explains of them,
            (n_actions, n_shared).
        own_variances: Variance of the own part, (n_actions,), at least 0.
    """

    means: Array
    residuals: Array
    own_variances: Array


class HybridLinearModel:
    """The hybrid linear model of Li et al. (2010), in covariance form.

    r = z·β + x·θ_a + noise, with β ~ N(0, I / prior_shared), θ_a ~ N(0, diag(1 / prior)) and noise
    of variance 1. With A_a, b_a, B_a, A₀ as in their Algorithm 2, an action keeps one block of
    rows that meet the context in a single product:

        block_a = [u_a; W_aᵀ; P_a]   with P_a = A_a⁻¹, u_a = P_a b_a, W_a = P_a B_a
        [x·u, Wᵀx, g] = block_a x    with g = P_a x

    A row (x, z, r) then is q = [r, z, 0] - block_a x = [e, v, -g], and with s = 1 + x·g

        block_a += q gᵀ / s

    is the whole update of the action. The shared block [βᵀ; P₀] is updated the same way by the
    row (v, e) of noise variance s. Score: v·β + x·u; variance: vᵀP₀v + xᵀP_a x. An action that
    was never learned reads the prior's block, so that it starts from what is shared.

    Args:
        n_context: d, length of x; x[0] is taken to be the intercept.
        n_shared: k, length of z.
        prior_shared: Precision of β (a ridge penalty).
        prior_action: Precision of θ_a aside from its intercept. The larger, the more
            actions are held to the shared part: about 1 for actions that have little in common,
            1e3 to 1e5 for many similar ones with rare rewards.
        prior_intercept: Precision of the intercept of θ_a.

    Raises:
        ParameterError: A precision is outside of [1e-6, 1e12].

    Example:
        >>> model = HybridLinearModel(1, 0)
        >>> model.learn(model.blocks.slots_for(["a"])[0], np.ones(1), np.ones(0), 1.0)
        >>> model.means(np.ones(1), np.ones((2, 0)), ("a", "new"))
        array([0.5, 0. ])

    References:
        Li, Chu, Langford, Schapire. A Contextual-Bandit Approach to Personalized News Article
        Recommendation. WWW 2010, Algorithm 2.
    """

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        prior_shared: float = 1.0,
        prior_action: float = 1.0,
        prior_intercept: float = 1.0,
    ) -> None:
        smallest, largest = 1e-6, 1e12
        self.prior_shared = parameter("prior_shared", prior_shared, smallest, largest)
        self.prior_action = parameter("prior_action", prior_action, smallest, largest)
        self.prior_intercept = parameter("prior_intercept", prior_intercept, smallest, largest)
        self.n_shared = n_shared
        precisions = np.full(n_context, self.prior_action)
        precisions[0] = self.prior_intercept
        prior = np.vstack([np.zeros((1 + n_shared, n_context)), np.diag(1.0 / precisions)])
        self.blocks = ActionBlocks(prior)
        self._shared = np.vstack([np.zeros(n_shared), np.eye(n_shared) / self.prior_shared])
        self._target = np.zeros(len(prior))

    @property
    def shared_covariance(self) -> Array:
        """P₀, a view of shape (n_shared, n_shared)."""
        return self._shared[1:]

    def means(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        """Expected reward of each candidate.

        Args:
            x: (n_context,).
            z: (n_actions, n_shared).
            ids: (n_actions,).

        Returns:
            (n_actions,).
        """
        products = self.blocks.products(x, ids, 1 + self.n_shared)
        means: Array = np.dot(z - products[:, 1:], self._shared[0])
        means += products[:, 0]
        return means

    def posterior(self, x: Array, z: Array, ids: tuple[str, ...]) -> Posterior:
        """Expected reward of each candidate and how sure the model is of it.

        Args:
            x: (n_context,).
            z: (n_actions, n_shared).
            ids: (n_actions,).
        """
        split = 1 + self.n_shared
        products = self.blocks.products(x, ids, self.blocks.block_shape[0])
        residuals = z - products[:, 1:split]
        means = np.dot(residuals, self._shared[0])
        means += products[:, 0]
        own = np.dot(products[:, split:], x)
        return Posterior(means, residuals, np.maximum(own, 0.0, out=own))

    def means_and_variances(self, x: Array, z: Array, ids: tuple[str, ...]) -> tuple[Array, Array]:
        """Expected reward of each candidate, and vᵀP₀v + xᵀP_a x, in the fewest products.

        Args:
            x: (n_context,).
            z: (n_actions, n_shared).
            ids: (n_actions,).

        Returns:
            Both (n_actions,), the second at least 0.
        """
        split = 1 + self.n_shared
        products = self.blocks.products(x, ids, self.blocks.block_shape[0])
        residuals = z - products[:, 1:split]
        mapped = np.dot(residuals, self._shared.T)  # v·β, then vᵀP₀
        means: Array = mapped[:, 0] + products[:, 0]
        spread = mapped[:, 1:]
        spread *= residuals
        variances: Array = np.add.reduce(spread, axis=1)
        variances += np.dot(products[:, split:], x)
        return means, np.maximum(variances, 0.0, out=variances)

    def learn(self, slot: int, x: Array, z: Array, reward: float) -> None:
        """One row (x, z, r) of the action in ``slot``.

        Args:
            slot: From ``blocks.slots_for``.
            x: (n_context,).
            z: (n_shared,).
            reward: r.
        """
        block, shared, split = self.blocks[slot], self._shared, 1 + self.n_shared
        target = self._target
        target[0] = reward
        target[1:split] = z
        q = target - np.dot(block, x)
        g = -q[split:]
        noise = 1.0 + _spread(g, x)
        v = q[1:split]
        h = np.dot(shared, v)
        q0 = -h
        q0[0] += q[0]
        _add_outer(shared, q0, h[1:], noise + _spread(h[1:], v))
        _add_outer(block, q, g, noise)

    def correct(self, slot: int, x: Array, z: Array, change: float) -> None:
        """Change the reward of a row that was learned before; the design stays.

        Args:
            slot: From ``blocks.slots_for``.
            x: The row's context, (n_context,).
            z: The row's shared features, (n_shared,).
            change: New reward less the old one.
        """
        block, shared, split = self.blocks[slot], self._shared, 1 + self.n_shared
        products = np.dot(block, x)
        block[0] += change * products[split:]
        shared[0] += change * np.dot(shared[1:], z - products[1:split])

    def arrays(self) -> dict[str, Array]:
        """Copies of everything learned, the actions in the order of ``blocks.action_ids``."""
        return {"blocks": self.blocks.copy_learned(), "shared": self._shared.copy()}

    def restore(self, action_ids: Sequence[str], arrays: Mapping[str, Array]) -> None:
        """Take over what ``blocks.action_ids`` and ``arrays`` gave.

        Raises:
            StateError: Arrays are missing, of another shape or not finite, or ids repeat.
        """
        if len(set(action_ids)) != len(action_ids):
            raise StateError("saved action ids repeat: they must be distinct")
        blocks = _saved(arrays, "blocks", (len(action_ids), *self.blocks.block_shape))
        self._shared = _saved(arrays, "shared", self._shared.shape).copy()
        self.blocks.replace_learned(action_ids, blocks)


def _spread(g: Array, x: Array) -> float:
    """x·Px for g = Px. Below 0 is rounding: that direction is known, g becomes 0 and adds nothing.

    Without this a covariance that lost its last digits would grow instead of shrink.
    """
    spread = float(np.dot(g, x))
    if spread < 0.0:
        g.fill(0.0)
        return 0.0
    return spread


def _add_outer(block: Array, q: Array, g: Array, scale: float) -> None:
    """``block += q gᵀ / scale``, with the square root on both sides so that P stays symmetric."""
    root = 1.0 / math.sqrt(scale)
    block += np.multiply.outer(q * root, g * root)


def _saved(arrays: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    array = arrays.get(name)
    if array is None or array.shape != shape or array.dtype != np.float64:
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise StateError(f"saved array {name!r} is {found}: must be float64 of shape {shape}")
    if not np.isfinite(array).all():
        raise StateError(f"saved array {name!r} holds NaN or infinity: the file is damaged")
    return np.ascontiguousarray(array)

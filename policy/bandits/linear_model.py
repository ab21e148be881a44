"""Hybrid ridge regression: what all actions share, and what is each action's own.

The core under every linear bandit. It keeps two things: sufficient statistics, which add up, and
the posterior that follows from them, which rank-one updates keep current between solutions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from policy.bandits.action_blocks import ActionBlocks
from policy.bandits.evidence import PriorGroup, Priors
from policy.bandits.linear_algebra import add_outer, add_scaled, inverse, one_thread, spread_of
from policy.bounds import parameter
from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = npt.NDArray[np.float64]

FIRST_SOLUTION = 64
"""Rows before the statistics are first solved afresh; then whenever their number doubles."""

MOST_ROWS_BETWEEN = 65_536
_STEPS = 2
_STEPS_FROM_SCRATCH = 30
SCALARS = ("n", "square_sum", "squared_error", "weight", "n_rows", "next_solution")


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What the model believes about each candidate's reward.

    The score of candidate a is ``residuals[a] · beta + own``: its uncertainty has a part that all
    candidates share, ``residuals[a]ᵀ S residuals[a]``, and one of its own.

    Args:
        means: Expected rewards, (n_actions,).
        residuals: Shared features less what the action's own block explains of them,
            (n_actions, n_shared).
        shared_covariance: S, the covariance of the shared weights, (n_shared, n_shared).
        own_variances: Variance of the own part, (n_actions,), at least 0.
    """

    means: Array
    residuals: Array
    shared_covariance: Array
    own_variances: Array


class OwnPriors(NamedTuple):
    """Precisions of an action's own weights; None is estimated from the data.

    Args:
        intercept: Of the weight of x[0].
        linear: Of the weights of x[1:], aside from the last ``n_lifted``.
        lifted: Of the weights of the last ``n_lifted``, which stand for a non-linear part.
        n_lifted: How many those are.
    """

    intercept: float | None = None
    linear: float | None = None
    lifted: float | None = None
    n_lifted: int = 0


ESTIMATED = OwnPriors()


class HybridLinearModel:
    """The hybrid linear model of Li et al. (2010), with statistics and posterior side by side.

    r = z·β + x·θ_a + noise, with noise ~ N(0, σ²), β ~ N(0, σ² / prior_shared) and each weight of
    θ_a ~ N(0, σ² / its prior). With A_a, b_a, B_a, A₀ as in their Algorithm 2, an action keeps one
    stack of rows: the posterior's, which meet the context in a single product, and below them the
    statistics that they follow from.

    block_a = [u_a; W_aᵀ; P_a]   with P_a = A_a⁻¹, u_a = P_a b_a, W_a = P_a B_a
    sums_a  = Σ [r; z; x] xᵀ

    A row (x, z, r) is q = [r, z, 0] - block_a x = [e, v, -g], and with s = 1 + x·g

        block_a += q gᵀ / s

    is the whole update of the posterior. The shared block [βᵀ; P₀] is updated the same way by the
    row (v, e) of noise variance s. Score: v·β + x·u; variance: σ² (vᵀP₀v + xᵀP_a x). An action
    that was never learned reads the prior's block, so that it starts from what is shared.

    Rounding adds up in rank-one updates, and priors cannot change in them. So the statistics are
    solved afresh when the number of rows has doubled, and at least every 65,536 rows; that is also
    when priors are estimated. σ² is the mean squared prediction error, each scaled by what the
    model was sure of: the marginal likelihood's estimate.

    With ``half_life``, a row counts half after so many further rows: new rows come in with growing
    weight, which costs nothing, and the prior is held to the weight of the newest.

    Args:
        n_context: d, length of x; x[0] is taken to be the intercept.
        n_shared: k, length of z.
        prior_shared: Precision of β (a ridge penalty); None estimates it.
        own: Precisions of θ_a; None estimates them. Small ones suit actions that have little in
            common, 1e3 to 1e5 many similar ones with rare rewards.
        half_life: In rows, at least 10; None never forgets.
        noise: σ², where it is known; None estimates it.

    Raises:
        ParameterError: A precision is outside of [1e-6, 1e12], or a half-life below 10.

    Example:
        >>> model = HybridLinearModel(1, 0, own=OwnPriors(intercept=1.0))
        >>> surprise = model.learn(model.blocks.slots_for(["a"])[0], np.ones(1), np.ones(0), 1.0)
        >>> model.means(np.ones(1), np.ones((2, 0)), ("a", "new"))
        array([0.5, 0. ])

    References:
        Li, Chu, Langford, Schapire. A Contextual-Bandit Approach to Personalized News Article
        Recommendation. WWW 2010, Algorithm 2.
        Russac, Vernade, Cappé. Weighted Linear Bandits for Non-Stationary Environments.
        NeurIPS 2019.
    """

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        prior_shared: float | None = None,
        own: OwnPriors = ESTIMATED,
        half_life: float | None = None,
        noise: float | None = None,
    ) -> None:
        self.n_shared = n_shared
        self._noise = noise
        self.half_life = half_life
        self._growth = 1.0
        self._most_rows_between = MOST_ROWS_BETWEEN
        if half_life is not None:
            self._growth = 2.0 ** (1.0 / parameter("half_life", half_life, 10.0))
            self._most_rows_between = max(8, int(half_life / 4))
        n_linear = n_context - 1 - own.n_lifted
        self.own_priors = Priors(
            (
                PriorGroup("prior_intercept", 1, own.intercept),
                PriorGroup("prior_action", n_linear, own.linear),
                PriorGroup("prior_lifted", own.n_lifted, own.lifted, initial=1 / 16),
            )
        )
        self.shared_priors = Priors((PriorGroup("prior_shared", n_shared, prior_shared),))
        self._n_rows = 1 + n_shared + n_context
        self.blocks = ActionBlocks(np.zeros((2 * self._n_rows, n_context)))
        self._shared = np.zeros((1 + n_shared, n_shared))
        self._shared_sums = np.zeros((1 + n_shared, n_shared))
        self._target = np.zeros(self._n_rows)
        self._row = np.zeros(self._n_rows)
        self.n = 0.0
        self.square_sum = 0.0
        self.squared_error = 0.0
        self.weight = 1.0
        self.n_rows = 0
        self.next_solution = FIRST_SOLUTION
        self._solve()

    @property
    def noise_variance(self) -> float:
        """σ², in squared units of reward; 1 before anything is learned."""
        if self._noise is not None:
            return self._noise
        return self.squared_error / self.n if self.n > 0.0 else 1.0

    @property
    def shared_covariance(self) -> Array:
        """P₀, a view of shape (n_shared, n_shared), in units of the noise."""
        covariance: Array = self._shared[1:]
        return covariance

    @property
    def shared_weights(self) -> Array:
        """β, a view of shape (n_shared,)."""
        weights: Array = self._shared[0]
        return weights

    def own_weights(self, ids: Sequence[str]) -> Array:
        """θ_a of each action, (n_actions, n_context)."""
        rows = self.blocks.of(tuple(ids))[:, : 1 + self.n_shared]
        weights: Array = rows[:, 0] - np.dot(rows[:, 1:].transpose(0, 2, 1), self._shared[0])
        return weights

    def means(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        """Expected reward of each candidate.

        Args:
            x: (n_context,).
            z: (n_actions, n_shared).
            ids: (n_actions,).

        Returns:
            (n_actions,).
        """
        weights = np.empty(1 + self.n_shared)
        weights[0] = 1.0
        np.negative(self._shared[0], out=weights[1:])
        means = self.blocks.combined(x, ids, weights)
        means += np.dot(z, self._shared[0])
        return means

    def posterior(self, x: Array, z: Array, ids: tuple[str, ...]) -> Posterior:
        """Expected reward of each candidate and how sure the model is of it.

        Args:
            x: (n_context,).
            z: (n_actions, n_shared).
            ids: (n_actions,).
        """
        split = 1 + self.n_shared
        products = self.blocks.products(x, ids, self._n_rows)
        residuals, means = z, products[:, 0].copy()
        if self.n_shared:
            residuals = z - products[:, 1:split]
            means += np.dot(residuals, self._shared[0])
        own = np.dot(products[:, split:], x)
        np.maximum(own, 0.0, out=own)
        unit = self.noise_variance * self.weight
        own *= unit
        return Posterior(means, residuals, self._shared[1:] * unit, own)

    def means_and_variances(self, x: Array, z: Array, ids: tuple[str, ...]) -> tuple[Array, Array]:
        """Expected reward of each candidate, and its variance, in the fewest products.

        Args:
            x: (n_context,).
            z: (n_actions, n_shared).
            ids: (n_actions,).

        Returns:
            Both (n_actions,), the second at least 0, in squared units of reward.
        """
        split = 1 + self.n_shared
        products = self.blocks.products(x, ids, self._n_rows)
        means, variances = self.of_shared(z, products[:, :split])
        variances += np.dot(products[:, split:], x)
        np.maximum(variances, 0.0, out=variances)
        variances *= self.noise_variance * self.weight
        return means, variances

    def of_shared(self, z: Array, products: Array) -> tuple[Array, Array]:
        """Means, and the part of the variances, in units of the noise, that β is unsure of.

        Args:
            z: (n_actions, n_shared).
            products: The first 1 + n_shared rows of each candidate's block times x.
        """
        if not self.n_shared:
            return products[:, 0].copy(), np.zeros(len(products))
        residuals = z - products[:, 1:]
        mapped = np.dot(residuals, self._shared.T)  # v·β, then vᵀP₀
        means: Array = mapped[:, 0] + products[:, 0]
        spread = mapped[:, 1:]
        spread *= residuals
        variances: Array = np.add.reduce(spread, axis=1)
        return means, variances

    def at_average(self) -> tuple[Array, Array]:
        """What each learned action is expected to earn of the average visitor, and how surely.

        Returns:
            Means, (n_actions,), and their covariance, (n_actions, n_actions).
        """
        split, rows = 1 + self.n_shared, self._n_rows
        learned = self.blocks.learned()
        sums = learned[:, rows:]  # of each action, [r; z; x] xᵀ, whose first column has x[0] = 1
        counts = np.maximum(sums[:, split, 0], 1e-9)
        x = sums[:, split:, 0].sum(axis=0) / counts.sum()
        products = np.dot(learned[:, :rows], x)
        residuals = sums[:, 1:split, 0] / counts[:, None] - products[:, 1:split]
        means = np.dot(residuals, self._shared[0]) + products[:, 0]
        covariance = np.dot(residuals, np.dot(self._shared[1:], residuals.T))
        covariance += np.diag(np.maximum(np.dot(products[:, split:], x), 0.0))
        covariance *= self.noise_variance * self.weight
        return means, covariance

    def learn(self, slot: int, x: Array, z: Array, reward: float) -> float:
        """One row (x, z, r) of the action in ``slot``.

        Args:
            slot: From ``blocks.slots_for``.
            x: (n_context,).
            z: (n_shared,).
            reward: r.

        Returns:
            By how many standard deviations the reward came out above what was expected of it.
        """
        rows = self._n_rows
        stack, split = self.blocks[slot], 1 + self.n_shared
        block, shared = stack[:rows], self._shared
        self.weight *= self._growth
        target = self._target
        target[0] = reward
        target[1:split] = z
        target[split:] = 0.0
        products = np.dot(block, x)
        q, g = target - products, products[split:]
        noise = 1.0 / self.weight + spread_of(g, x)
        error, scale = float(q[0]), noise
        if self.n_shared:
            v = q[1:split]
            h = np.dot(shared, v)
            q0 = -h
            q0[0] += q[0]
            error, scale = float(q0[0]), noise + spread_of(h[1:], v)
            add_scaled(shared, q0, h[1:], scale)
        surprise = error / math.sqrt(scale)
        expected_size = math.sqrt(self.noise_variance)
        add_scaled(block, q, g, noise)
        target[split:] = x
        self._count(stack[rows:], x, z, self.weight)
        self.square_sum += self.weight * reward * reward
        self.squared_error += surprise * surprise
        self.n += self.weight
        self.n_rows += 1
        if self.n_rows >= self.next_solution:
            self.solve()
        return surprise / math.sqrt(self.weight) / expected_size if expected_size > 0.0 else 0.0

    def correct(self, slot: int, x: Array, z: Array, change: float, before: float) -> None:
        """Change the reward of a row that was learned before; the design stays.

        With ``half_life`` the change counts as if it belonged to a row of today.

        Args:
            slot: From ``blocks.slots_for``.
            x: The row's context, (n_context,).
            z: The row's shared features, (n_shared,).
            change: New reward less the old one.
            before: The old one.
        """
        stack, split, weight = self.blocks[slot], 1 + self.n_shared, self.weight
        change_of_error = self._change_of_error(stack, x, z, change, before)
        products = np.dot(stack[: self._n_rows], x)
        stack[0] += weight * change * products[split:]
        self._shared[0] += weight * change * np.dot(self._shared[1:], z - products[1:split])
        stack[self._n_rows] += weight * change * x
        self._shared_sums[0] += weight * change * z
        # Below 0 only by rounding, or where ``before`` is not what the row had earned.
        self.square_sum = max(self.square_sum + weight * change * (change + 2.0 * before), 0.0)
        self.squared_error = max(self.squared_error + change_of_error, 0.0)

    def remove(self, slot: int, x: Array, z: Array, reward: float) -> None:
        """Take a row out of the statistics; ``refit`` must follow.

        Args:
            slot: From ``blocks.slots_for``.
            x: (n_context,).
            z: (n_shared,).
            reward: What the row had earned in the end.
        """
        target, split = self._target, 1 + self.n_shared
        target[0], target[1:split], target[split:] = reward, z, x
        self._count(self.blocks[slot][self._n_rows :], x, z, -1.0)
        self.square_sum -= reward * reward
        self.n -= 1.0
        self.n_rows -= 1

    def discount(self, share: float) -> None:
        """Let everything learned so far count for only this share of what it did, in (0, 1].

        How strongly weights are held to zero is found out anew, too.
        """
        self.weight /= share
        self.own_priors.reset()
        self.shared_priors.reset()
        self.solve()

    def solve(self) -> None:
        """The posterior from the statistics, after a step towards the likeliest priors."""
        self.next_solution = min(2 * self.n_rows, self.n_rows + self._most_rows_between)
        self._renormalise()
        with one_thread():
            self._iterate(_STEPS)

    def refit(self) -> None:
        """Priors and posterior as a function of nothing but the statistics."""
        self.own_priors.reset()
        self.shared_priors.reset()
        self._renormalise()
        with one_thread():
            self._iterate(_STEPS_FROM_SCRATCH)
        rows = max(self.n_rows, FIRST_SOLUTION // 2)
        self.next_solution = min(2 * rows, rows + self._most_rows_between)

    def merge(
        self,
        action_ids: Sequence[str],
        arrays: Mapping[str, Array],
        scalars: Mapping[str, float],
    ) -> None:
        """Add another model's statistics, and refit.

        Args:
            action_ids: The other's ``blocks.action_ids``.
            arrays: The other's ``arrays``.
            scalars: The other's ``scalars``.

        Raises:
            StateError: They do not fit; then nothing changes.
        """
        blocks, shared = self._checked(action_ids, arrays)
        weight = scalars["weight"]
        for slot, block in zip(self.blocks.slots_for(action_ids), blocks, strict=True):
            self.blocks[slot][self._n_rows :] += block[self._n_rows :] * (self.weight / weight)
        self._shared_sums += shared[1 + self.n_shared :] * (self.weight / weight)
        self.square_sum += scalars["square_sum"] * (self.weight / weight)
        self.n += scalars["n"] * (self.weight / weight)
        self.n_rows += int(scalars["n_rows"])
        self.refit()

    def arrays(self) -> dict[str, Array]:
        """Copies of everything learned, the actions in the order of ``blocks.action_ids``."""
        return {
            "blocks": self.blocks.copy_learned(),
            "shared": np.vstack([self._shared, self._shared_sums]),
            "precisions": np.concatenate([self.own_priors.values, self.shared_priors.values]),
        }

    def scalars(self) -> dict[str, float]:
        """The rest of it."""
        return {name: getattr(self, name) for name in SCALARS}

    def restore(
        self,
        action_ids: Sequence[str],
        arrays: Mapping[str, Array],
        scalars: Mapping[str, float],
    ) -> None:
        """Take over what ``blocks.action_ids``, ``arrays`` and ``scalars`` gave.

        Raises:
            StateError: Arrays are missing, of another shape or not finite, or ids repeat.
        """
        blocks, shared = self._checked(action_ids, arrays)
        n_own = len(self.own_priors.values)
        precisions = saved_array(arrays, "precisions", (n_own + 1,))
        if not (precisions > 0.0).all():
            raise StateError("saved precisions must be above 0")
        self.own_priors.values = precisions[:n_own].copy()
        self.shared_priors.values = precisions[n_own:].copy()
        self._shared, self._shared_sums = shared[: len(self._shared)], shared[len(self._shared) :]
        self._shared, self._shared_sums = self._shared.copy(), self._shared_sums.copy()
        self.blocks.replace_learned(action_ids, blocks)
        self._set_prior_block()
        for name in SCALARS:
            setattr(self, name, scalars[name])

    def _checked(
        self, action_ids: Sequence[str], arrays: Mapping[str, Array]
    ) -> tuple[Array, Array]:
        if len(set(action_ids)) != len(action_ids):
            raise StateError("saved action ids repeat: they must be distinct")
        blocks = saved_array(arrays, "blocks", (len(action_ids), *self.blocks.block_shape))
        shared = saved_array(arrays, "shared", (2 * len(self._shared), self.n_shared))
        return blocks, shared

    def _count(self, sums: Array, x: Array, z: Array, weight: float) -> None:
        """Add ``_target`` = [r, z, x] to the sums."""
        add_outer(sums, self._target, x, weight)
        add_outer(self._shared_sums, self._target[: 1 + self.n_shared], z, weight)

    def _change_of_error(
        self, stack: Array, x: Array, z: Array, change: float, before: float
    ) -> float:
        """By how much rᵀ(I - H)r changes with one entry of r."""
        split, weight = 1 + self.n_shared, self.weight
        products = np.dot(stack[: self._n_rows], x)
        v = z - products[1:split]
        fitted = float(products[0] + np.dot(v, self._shared[0]))
        leverage = float(np.dot(products[split:], x) + np.dot(v, np.dot(self._shared[1:], v)))
        return weight * change * (2.0 * (before - fitted) + change * (1.0 - weight * leverage))

    def _renormalise(self) -> None:
        """Measure all weights in units of the newest."""
        if self.weight == 1.0:
            return
        for stack in self.blocks.learned():
            stack[self._n_rows :] /= self.weight
        self._shared_sums /= self.weight
        self.square_sum /= self.weight
        self.squared_error /= self.weight
        self.n /= self.weight
        self.weight = 1.0

    def _iterate(self, n_steps: int) -> None:
        """The posterior, and so many times the likeliest priors for it and the posterior again."""
        self._solve()
        if self._priors_are_given():
            return
        for _ in range(n_steps):
            self._estimate_priors()
            self._solve()

    def _priors_are_given(self) -> bool:
        return self.own_priors.are_given and self.shared_priors.are_given

    def _set_prior_block(self) -> None:
        prior = self.blocks[0]
        prior[1 + self.n_shared : self._n_rows] = np.diag(1.0 / self.own_priors.precisions)

    def _solve(self) -> None:
        """The posterior from the statistics, whose weight is 1."""
        self._set_prior_block()
        split, rows = 1 + self.n_shared, self._n_rows
        own_prior, shared_prior = self.own_priors.precisions, self.shared_priors.precisions
        own_diagonal = np.diag(own_prior)
        shared_precision = np.diag(shared_prior) + self._shared_sums[1:]
        shared_scale = np.sqrt(np.diagonal(shared_precision))
        response = self._shared_sums[0].copy()
        error = self.square_sum
        for stack in self.blocks.learned():
            block, sums = stack[:rows], stack[rows:]
            precision = sums[split:] + own_diagonal
            block[split:] = inverse(precision, own_prior, np.sqrt(np.diagonal(precision)))
            np.dot(sums[:split], block[split:], out=block[:split])
            shared_precision -= np.dot(sums[1:split], block[1:split].T)
            response -= np.dot(sums[1:split], block[0])
            error -= float(np.dot(sums[0], block[0]))
        if self.n_shared:
            self._shared[1:] = inverse(shared_precision, shared_prior, shared_scale)
            self._shared[0] = np.dot(self._shared[1:], response)
            error -= float(np.dot(response, self._shared[0]))
        # Where nearly all is explained, the difference is rounding.
        self.squared_error = max(error, 1e-15 * self.square_sum)

    def _estimate_priors(self) -> None:
        split, rows = 1 + self.n_shared, self._n_rows
        learned = self.blocks.learned()
        if not len(learned):
            return
        crossed = learned[:, 1:split].transpose(0, 2, 1)  # W
        weights = learned[:, 0] - np.dot(crossed, self._shared[0])
        variances = np.diagonal(learned[:, split:rows], axis1=1, axis2=2).copy()
        variances += np.einsum("adk,kj,adj->ad", crossed, self._shared[1:], crossed)
        noise = self.noise_variance
        self.own_priors.estimate(weights, variances, noise, self.n)
        diagonal = np.diagonal(self._shared[1:])
        self.shared_priors.estimate(self._shared[:1], diagonal[None], noise, self.n)


def saved_array(arrays: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    """An array of a saved state.

    Raises:
        StateError: It is missing, of another shape or type, or not finite.
    """
    array = arrays.get(name)
    if array is None or array.shape != shape or array.dtype != np.float64:
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise StateError(f"saved array {name!r} is {found}: must be float64 of shape {shape}")
    if not np.isfinite(array).all():
        raise StateError(f"saved array {name!r} holds NaN or infinity: the file is damaged")
    return np.ascontiguousarray(array)

"""A small neural network whose last layer is used as features.

Under the neural-linear policy; plain numpy, since its layers are too small for anything else to
be faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from policy.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = npt.NDArray[np.float64]

N_HIDDEN = 64
N_STEPS = 400
N_ROWS_A_STEP = 64
LARGEST_SCORE = 5.0
"""In standard deviations: an outlier moves a layer no further."""

_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_FIRST_MOMENT, _SECOND_MOMENT = 0.9, 0.999


class FeatureNet:
    """φ(x) = tanh(W₂ relu(W₁ x̂ + b₁) + b₂), with x̂ the standardised context.

    It learns so that the reward of action a is near φ(x) · u_a + c_a in squared loss, by
    ``N_STEPS`` of Adam with decoupled weight decay and a learning rate that falls to 0. Each
    training goes on from where the last one ended. Nothing is random aside from the generator that
    is handed in.

    Args:
        n_context: Length of a context.
        n_features: Length of φ.

    Example:
        >>> net, rng = FeatureNet(2, 3), np.random.default_rng(0)
        >>> net.train(rng.normal(size=(9, 2)), np.zeros(9, int), rng.normal(size=9), 1, rng)
        >>> net.features(np.ones((4, 2))).shape
        (4, 3)

    References:
        Riquelme, Tucker, Snoek. Deep Bayesian Bandits Showdown. ICLR 2018.
        Loshchilov, Hutter. Decoupled Weight Decay Regularization. ICLR 2019.
    """

    def __init__(self, n_context: int, n_features: int) -> None:
        self.n_features = n_features
        self.is_trained = False
        self._center = np.zeros(n_context)
        self._scale = np.zeros(n_context)
        self._weights = {
            "weights_1": np.zeros((n_context, N_HIDDEN)),
            "bias_1": np.zeros(N_HIDDEN),
            "weights_2": np.zeros((N_HIDDEN, n_features)),
            "bias_2": np.zeros(n_features),
            "outputs": np.zeros((0, n_features)),
            "intercepts": np.zeros(0),
        }

    def features(self, contexts: Array) -> Array:
        """φ, zeros before the first training.

        Args:
            contexts: (n, n_context).

        Returns:
            (n, n_features), within ±1.
        """
        return self._layers(self._standardised(contexts))[1]

    def train(
        self,
        contexts: Array,
        actions: npt.NDArray[np.intp],
        targets: Array,
        n_actions: int,
        rng: np.random.Generator,
    ) -> None:
        """Learn from rows, all of which count alike.

        Args:
            contexts: At least one, (n, n_context).
            actions: Index of the action of each, below ``n_actions``, (n,).
            targets: What it earned, (n,).
            n_actions: At least as many as in the last training, in the same order.
            rng: Draws the first weights, and the rows of each step.
        """
        self._standardise_by(contexts)
        if not self.is_trained:
            self._draw_weights(rng)
        self._make_room(n_actions)
        inputs = self._standardised(contexts)
        spread = float(targets.std())
        outcomes = (targets - targets.mean()) / (spread if spread > 0.0 else 1.0)
        steps = _Adam(self._weights)
        for _ in range(N_STEPS):
            rows = rng.integers(len(inputs), size=min(N_ROWS_A_STEP, len(inputs)))
            steps.take(self._gradients(inputs[rows], actions[rows], outcomes[rows]))
        self.is_trained = True

    def arrays(self) -> dict[str, Array]:
        """Copies of everything learned."""
        arrays = {"center": self._center, "scale": self._scale, **self._weights}
        return {f"net_{name}": array.copy() for name, array in arrays.items()}

    def restore(self, arrays: Mapping[str, Array], *, is_trained: bool, n_actions: int) -> None:
        """Take over what ``arrays`` gave.

        Args:
            arrays: From ``arrays``.
            is_trained: Of the saved net.
            n_actions: At least as many as it was trained for.

        Raises:
            StateError: An array is missing, of another shape or not finite.
        """
        kept: dict[str, Array] = {}
        for name, mine in {**self._weights, "center": self._center, "scale": self._scale}.items():
            found = arrays.get(f"net_{name}")
            if found is None or found.ndim != mine.ndim or not np.isfinite(found).all():
                raise StateError(f"saved array 'net_{name}' is missing, or holds NaN or infinity")
            free = name in ("outputs", "intercepts") and len(found) <= n_actions
            if found.shape[free:] != mine.shape[free:]:
                raise StateError(
                    f"saved array 'net_{name}' has shape {found.shape}: must be {mine.shape}"
                )
            kept[name] = found.copy()
        if len(kept["outputs"]) != len(kept["intercepts"]):
            raise StateError("saved arrays 'net_outputs' and 'net_intercepts' must be as long")
        self._center, self._scale = kept.pop("center"), kept.pop("scale")
        self._weights, self.is_trained = kept, is_trained

    def _standardise_by(self, contexts: Array) -> None:
        self._center = contexts.mean(axis=0)
        spread = contexts.std(axis=0)
        # A column that never changed says nothing yet.
        self._scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)

    def _standardised(self, contexts: Array) -> Array:
        scores: Array = (contexts - self._center) * self._scale
        return np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE, out=scores)

    def _draw_weights(self, rng: np.random.Generator) -> None:
        n_used = max(int(np.count_nonzero(self._scale)), 1)
        first, second = self._weights["weights_1"], self._weights["weights_2"]
        first[:] = rng.standard_normal(first.shape) * np.sqrt(2.0 / n_used)
        second[:] = rng.standard_normal(second.shape) * np.sqrt(1.0 / N_HIDDEN)

    def _make_room(self, n_actions: int) -> None:
        for name in ("outputs", "intercepts"):
            old = self._weights[name]
            grown = np.zeros((n_actions, *old.shape[1:]))
            grown[: len(old)] = old
            self._weights[name] = grown

    def _layers(self, inputs: Array) -> tuple[Array, Array]:
        weights = self._weights
        hidden = np.maximum(np.dot(inputs, weights["weights_1"]) + weights["bias_1"], 0.0)
        return hidden, np.tanh(np.dot(hidden, weights["weights_2"]) + weights["bias_2"])

    def _gradients(
        self, inputs: Array, actions: npt.NDArray[np.intp], outcomes: Array
    ) -> dict[str, Array]:
        """Of half the mean squared error."""
        weights = self._weights
        hidden, features = self._layers(inputs)
        outputs = weights["outputs"][actions]
        errors = np.einsum("nm,nm->n", features, outputs) + weights["intercepts"][actions]
        errors -= outcomes
        errors /= len(errors)
        taken = np.zeros((len(actions), len(weights["outputs"])))
        taken[np.arange(len(actions)), actions] = errors
        upper = errors[:, None] * outputs * (1.0 - features * features)
        lower = np.dot(upper, weights["weights_2"].T) * (hidden > 0.0)
        return {
            "weights_1": np.dot(inputs.T, lower),
            "bias_1": lower.sum(axis=0),
            "weights_2": np.dot(hidden.T, upper),
            "bias_2": upper.sum(axis=0),
            "outputs": np.dot(taken.T, features),
            "intercepts": taken.sum(axis=0),
        }


class _Adam:
    """Steps of Adam on arrays, in place; weights decay, biases do not."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self._weights = weights
        self._first = {name: np.zeros_like(array) for name, array in weights.items()}
        self._second = {name: np.zeros_like(array) for name, array in weights.items()}
        self._n = 0

    def take(self, gradients: dict[str, Array]) -> None:
        self._n += 1
        rate = _LEARNING_RATE * np.sqrt(1.0 - self._n / (N_STEPS + 1.0))
        first_size = 1.0 - _FIRST_MOMENT**self._n
        second_size = 1.0 - _SECOND_MOMENT**self._n
        for name, gradient in gradients.items():
            weights, first, second = self._weights[name], self._first[name], self._second[name]
            first += (1.0 - _FIRST_MOMENT) * (gradient - first)
            second += (1.0 - _SECOND_MOMENT) * (gradient * gradient - second)
            step = first / first_size / (np.sqrt(second / second_size) + 1e-8)
            if weights.ndim == 2:
                step += _WEIGHT_DECAY * weights
            weights -= rate * step

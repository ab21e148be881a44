"""One observation through actor and critic at once: the network as the hot path runs it.

Made of a `policy.ppo.network.Network` once, run by `policy.ppo.policy` at every decision. Actor and
critic lie side by side in one matrix a layer, so that a decision is three small products:

    h₁ = tanh(W₁ x + b₁)    h₂ = tanh(W₂ h₁ + b₂)    (logits, value) = W₃ h₂ + b₃

with W₂ and W₃ zero where actor and critic do not meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag

from policy.ppo.network import CLIP

if TYPE_CHECKING:
    from policy.ppo.network import Network

Array = npt.NDArray[np.float32]

ACTOR_CRITIC = (("hidden_1", "value_hidden_1"), ("hidden_2", "value_hidden_2"), ("action", "value"))


class Forward:
    """Scores and value of single observations.

    Args:
        network: Its arrays are copied.

    Example:
        >>> from policy.ppo.network import untrained
        >>> network = untrained(("x", "y"), ("a", "b", "c"), np.random.default_rng(0))
        >>> logits, value = Forward(network)(np.float32([0.5, -1.0]))
        >>> np.allclose(logits, network.logits([0.5, -1.0])), logits.shape
        (True, (3,))
    """

    __slots__ = ("_biases", "_mean", "_scale", "_weights")

    def __init__(self, network: Network) -> None:
        weights, biases = network.weights, network.biases
        first, *later = ACTOR_CRITIC
        self._weights = (
            np.concatenate([weights[name] for name in first]),
            *(block_diag(*(weights[name] for name in pair)).astype(np.float32) for pair in later),
        )
        self._biases = tuple(
            np.concatenate([biases[name] for name in pair]) for pair in ACTOR_CRITIC
        )
        self._mean, self._scale = network.mean, network.scale

    def __call__(self, observation: Array) -> tuple[Array, float]:
        """Of one observation, float32 (n_features,): logits, (n_actions,), and the value."""
        x = observation - self._mean
        x *= self._scale
        # Nearly always nothing is beyond the clip, and one product proves it; NaN does not.
        if not x.dot(x) <= CLIP * CLIP:
            x = np.minimum(np.maximum(x, -CLIP, out=x), CLIP, out=x)
        (w_1, w_2, w_3), (b_1, b_2, b_3) = self._weights, self._biases
        h = w_1.dot(x)
        h += b_1
        np.tanh(h, out=h)
        h = w_2.dot(h)
        h += b_2
        np.tanh(h, out=h)
        y: Array = w_3.dot(h)
        y += b_3
        return y[:-1], y.item(-1)

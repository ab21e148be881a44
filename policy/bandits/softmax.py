"""Softmax (Boltzmann): the better an action looks, the more often.

One of the explorers over the linear model.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.linear_policy import TIE, LinearOptions, LinearPolicy, share_of_best
from policy.bounds import parameter

if TYPE_CHECKING:
    from typing import Unpack

Array = npt.NDArray[np.float64]


class Softmax(LinearPolicy):
    """p(a) proportional to exp(score(a) / (temperature σ)), with σ² the noise's variance.

    σ is what the model finds that rewards scatter by around their expectation. Measured in it, one
    temperature means the same for clicks and for cents, and exploring fades as far as the model
    learns to tell rewards apart; it does not fade with experience alone.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        temperature: In standard deviations of the noise, at least 0; 0 is greedy.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = Softmax(1, 0, temperature=0.5, floor=0.0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)), costs=np.array([0.0, 0.5]))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0)).round(3)
        array([0.731, 0.269])

    References:
        Sutton, Barto. Reinforcement Learning: An Introduction. 2nd ed., MIT Press 2018, section 2.
        Cesa-Bianchi, Gentile, Lugosi, Neu. Boltzmann Exploration Done Right. NeurIPS 2017.
    """

    kind: ClassVar[str] = "softmax"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        temperature: float = 0.3,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.temperature = parameter("temperature", temperature, 0.0, 1e6)

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        means = self.model.means(x, z, ids)
        unit = self.temperature * math.sqrt(self.model.noise_variance)
        return boltzmann(means - costs, unit), means


def boltzmann(scores: Array, unit: float) -> Array:
    """p(a) proportional to exp(score(a) / unit).

    Args:
        scores: (n_actions,).
        unit: At least 0. Where it is no more than the rounding of the scores, all goes to the best.

    Returns:
        Probabilities, (n_actions,).

    Example:
        >>> boltzmann(np.log([1.0, 3.0]), 1.0)
        array([0.25, 0.75])
    """
    best = float(np.maximum.reduce(scores))
    if unit <= TIE * (1.0 + abs(best)):
        return share_of_best(scores)
    weights: Array = np.exp((scores - best) / unit)
    weights /= np.add.reduce(weights)
    return weights

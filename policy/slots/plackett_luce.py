"""Marginals of the Plackett-Luce model, for any number of actions.

Behind ``policy.slots.marginals``: where there are too many sets of actions to go through.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STEP = 0.125
"""Of the quadrature, in log time."""

NEGLIGIBLE = 1e-18
"""Mass that is left out at either end."""

BLOCK = 1 << 21
"""Numbers held at once, in each of a few arrays."""

MOST_NODES = 64
"""In one block; the last block goes beyond the end."""


def plackett_luce_marginals(weights: Array, n_slots: int) -> Array:
    """The probability of each action at each place, drawn in proportion to what is left.

    Such a list is the order in which independent exponential clocks of these rates ring, so

        P(a is at place s) = ∫ w(a) exp(-w(a) t) P(s - 1 of the others have rung by t) dt

    and the number of others that have rung is a sum of independent coins, whose distribution is the
    product of their generating functions. In log time the integrand is analytic around the real
    line and dies off at both ends, where the trapezoidal rule converges geometrically. All terms
    are positive, so nothing cancels.

    Args:
        weights: Above 0, (n_actions,).
        n_slots: At least 1.

    Returns:
        (n_slots, n_actions); rows sum to 1 as far as there are actions, and to 0 behind.

    Example:
        >>> plackett_luce_marginals(np.array([2.0, 1.0, 1.0]), 2).round(12)
        array([[0.5       , 0.25      , 0.25      ],
               [0.33333333, 0.33333333, 0.33333333]])

    References:
        Luce. Individual Choice Behavior. Wiley 1959.
        Yellott. The Relationship between Luce's Choice Axiom, Thurstone's Theory of Comparative
        Judgment, and the Double Exponential Distribution. J. Math. Psychology 15 (1977).
        Trefethen, Weideman. The Exponentially Convergent Trapezoidal Rule. SIAM Review 56 (2014).
    """
    n_actions = len(weights)
    n_places = min(n_slots, n_actions)
    rates = weights / weights.max()
    marginals = np.zeros((n_slots, n_actions))
    n_nodes = min(MOST_NODES, 1 + BLOCK // (n_actions * n_places))
    steps = STEP * np.arange(n_nodes)
    # Before the first node somebody rings with this probability, and then in proportion as ever.
    log_time = math.log(NEGLIGIBLE / float(rates.sum()))
    unfinished = 1.0
    while unfinished > NEGLIGIBLE:
        integrals, unfinished = _integrated(rates, np.exp(log_time + steps), n_places)
        marginals[:n_places] += integrals
        log_time += STEP * n_nodes
    return marginals


def _integrated(rates: Array, times: Array, n_places: int) -> tuple[Array, float]:
    """The share of these nodes in the integrals, (n_places, n_actions), and what comes after.

    That is at most P(fewer than n_places have rung by the last node).
    """
    exponents = np.outer(rates, times)
    waiting = np.exp(-exponents)
    rung = -np.expm1(-exponents)
    before = _counts(waiting, rung, n_places)
    behind = _counts(waiting[::-1], rung[::-1], n_places)[::-1]
    density = STEP * exponents * waiting
    integrals = np.empty((n_places, len(rates)))
    for place in range(n_places):
        # Everybody's but one's own: those before it beside those behind it.
        others = sum(before[:-1, k] * behind[1:, place - k] for k in range(place + 1))
        integrals[place] = (density * others).sum(axis=1)
    return integrals, float(before[-1, :, -1].sum())


def _counts(waiting: Array, rung: Array, n_places: int) -> Array:
    """P(k of the first i actions have rung), (n_actions + 1, n_places, n_times)."""
    n_actions, n_times = waiting.shape
    counts = np.zeros((n_actions + 1, n_places, n_times))
    counts[0, 0] = 1.0
    for i in range(n_actions):
        np.multiply(counts[i], waiting[i], out=counts[i + 1])
        counts[i + 1, 1:] += counts[i, :-1] * rung[i]
    return counts

"""The discretised shopper: a week a step, and exactly a finite Markov decision process.

4 segments × 13 reference prices × 11 levels of contact fatigue × 13 weeks since the last order are
7,436 states; what falls between two levels is rounded up or down at random, so that its mean is
kept and nothing is approximated. Its carry-over is that of the full simulator: discounts lower the
reference price, contacts wear out, and both together with silence make shoppers leave.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from simulator.errors import WorldError
from simulator.optimum.mdp import FiniteMDP

Array = npt.NDArray[np.float64]

N_SEGMENTS, N_REFERENCES, N_FATIGUES, N_RECENCIES = 4, 13, 11, 13
REFERENCES = np.linspace(0.7, 1.0, N_REFERENCES)
FATIGUES = np.linspace(0.0, 5.0, N_FATIGUES)
SEGMENTS = ("loyal", "bargain hunter", "browser", "sensitive")
ACTIONS = ("nothing", "news", "message-10", "message-20", "message-30", "shelf-10", "shelf-20")
CONTACT = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
DEPTH = np.array([0.0, 0.0, 0.1, 0.2, 0.3, 0.1, 0.2])


@dataclass(frozen=True, slots=True)
class Carryover:
    """How strongly today acts on tomorrow, and the numbers that do not. Utilities in logits.

    Args:
        reference_step: Share of the way to the price seen that the reference price moves.
        gain, loss: Utility of a price below or above the reference, per unit of price.
        fatigue_fade: Share of the fatigue that is left after a week.
        fatigue_weight: How much fatigue dulls messages.
        leave: Chance to leave in a week, at least.
        leave_fatigue, leave_silence: What full fatigue and 12 weeks without an order add to it.
        recency_weight: Visits lost with each week since the last order, in logits.
        contact_cents: Cost of a message.
        basket_cents: Mean basket at list price.
        margin_rate: Margin at list price.
        gamma: Discount a week.

    Raises:
        WorldError: A number outside of its range.
    """

    reference_step: float = 0.35
    gain: float = 4.0
    loss: float = 8.0
    fatigue_fade: float = 0.75
    fatigue_weight: float = 0.7
    leave: float = 0.003
    leave_fatigue: float = 0.05
    leave_silence: float = 0.03
    recency_weight: float = 0.12
    contact_cents: float = 5.0
    basket_cents: float = 3_000.0
    margin_rate: float = 0.4
    gamma: float = 0.99

    def __post_init__(self) -> None:
        for name in ("reference_step", "fatigue_fade", "margin_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise WorldError(name, getattr(self, name), "must be from 0 to 1")
        if not 0.0 <= self.leave + self.leave_fatigue + self.leave_silence <= 1.0:
            raise WorldError("leave", self.leave, "must add up to at most 1 with its additions")

    def off(self) -> Carryover:
        """The negative control: nothing that is done today matters tomorrow."""
        return replace(
            self, reference_step=0.0, fatigue_weight=0.0, leave_fatigue=0.0, leave_silence=0.0,
            recency_weight=0.0,
        )  # fmt: skip


# Of each segment: what visiting, buying and price mean to it, what a message adds, how it wears.
VISIT = np.array([-0.4, -0.9, -0.6, -0.8])
INTENT = np.array([0.3, -0.9, -1.0, -0.2])
SENSITIVITY = np.array([3.0, 9.0, 5.0, 4.0])
LIFT = np.array([0.5, 1.0, 1.2, 0.8])
WEAR = np.array([0.8, 0.6, 1.0, 1.8])


def states() -> Array:
    """Segment, reference price, fatigue and weeks since the last order of each state.

    Returns:
        (n_states, 4), in the order of the states.

    Example:
        >>> states().shape
        (7436, 4)
    """
    grid = np.meshgrid(
        np.arange(float(N_SEGMENTS)), REFERENCES, FATIGUES, np.arange(float(N_RECENCIES)),
        indexing="ij",
    )  # fmt: skip
    return np.stack([axis.ravel() for axis in grid], axis=1)


def observations() -> npt.NDArray[np.float32]:
    """What a policy sees of each state: the segment one-hot, the rest scaled to 0..1.

    Returns:
        (n_states, 7).
    """
    segment, reference, fatigue, recency = states().T
    one_hot = segment[:, None] == np.arange(N_SEGMENTS)
    scaled = ((reference - 0.7) / 0.3, fatigue / 5.0, recency / (N_RECENCIES - 1))
    return np.column_stack([one_hot, *scaled]).astype(np.float32)


def discrete_shopper(carryover: Carryover | None = None) -> FiniteMDP:
    """The shopper as a finite Markov decision process; it starts at list price and unworn.

    Args:
        carryover: How strongly today acts on tomorrow; the default world where None.

    Example:
        >>> discrete_shopper().rewards.shape
        (7436, 7)
    """
    c = carryover or Carryover()
    segment, reference, fatigue, recency = (axis[:, None] for axis in states().T)
    kind = segment.astype(np.int64)
    price = 1.0 - DEPTH
    visit, buy = _chances(c, kind, reference, fatigue, recency, price)
    ordered, looked = visit * buy, visit * (1.0 - buy)
    revenue_less_cost = c.basket_cents * (price - (1.0 - c.margin_rate))
    rewards = ordered * revenue_less_cost - c.contact_cents * CONTACT
    leave = c.leave + c.leave_fatigue * WEAR[kind] / WEAR.max() * fatigue / 5.0
    stays = 1.0 - leave - c.leave_silence * recency / (N_RECENCIES - 1)
    worn = _rounded(np.minimum(c.fatigue_fade * fatigue + CONTACT, 5.0), FATIGUES)
    moved = _rounded(reference + c.reference_step * (price - reference), REFERENCES)
    kept = _rounded(reference + 0.0 * price, REFERENCES)
    later = np.minimum(recency + 1.0, N_RECENCIES - 1.0)
    branches = (
        (moved, stays * ordered, 0.0 * later),
        (moved, stays * looked, later),
        (kept, stays * (1.0 - visit), later),
    )
    next_states, probabilities = [], []
    for prices, chance, weeks in branches:
        for price_index, price_share in prices:
            for wear_index, wear_share in worn:
                at = (kind * N_REFERENCES + price_index) * N_FATIGUES + wear_index
                next_states.append(at * N_RECENCIES + weeks.astype(np.int64))
                probabilities.append(chance * price_share * wear_share)
    start = np.zeros(len(rewards))
    unworn = (reference == 1.0) & (fatigue == 0.0) & (recency == 0.0)
    start[unworn[:, 0]] = 1.0 / N_SEGMENTS
    return FiniteMDP(
        np.stack(np.broadcast_arrays(*next_states), axis=2),
        np.stack(np.broadcast_arrays(*probabilities), axis=2),
        rewards,
        start,
        c.gamma,
    )


def _chances(  # the axes of the state
    c: Carryover, kind: npt.NDArray[np.int64], reference: Array, fatigue: Array, recency: Array,
    price: Array,
) -> tuple[Array, Array]:  # fmt: skip
    """Chance of a visit, and of an order during it, (n_states, n_actions)."""
    message = CONTACT * LIFT[kind] / (1.0 + c.fatigue_weight * WEAR[kind] * fatigue)
    # A message that offers more is opened more.
    visit = _logistic(VISIT[kind] - c.recency_weight * recency + message * (1.0 + 2.0 * DEPTH))
    felt = c.gain * np.maximum(reference - price, 0.0) - c.loss * np.maximum(price - reference, 0.0)
    return visit, _logistic(INTENT[kind] - SENSITIVITY[kind] * (price - 1.0) + felt)


def _logistic(x: Array) -> Array:
    result: Array = 1.0 / (1.0 + np.exp(-x))
    return result


def _rounded(x: Array, levels: Array) -> list[tuple[npt.NDArray[np.int64], Array]]:
    """The levels below and above, each with the probability that keeps the mean."""
    position = (x - levels[0]) / (levels[1] - levels[0])
    position = np.clip(position, 0.0, len(levels) - 1.0)
    # Halfway through a rounding error is not halfway: 3.0000000001 is 3.
    position = np.where(np.abs(position - np.rint(position)) < 1e-9, np.rint(position), position)
    below = np.minimum(position.astype(np.int64), len(levels) - 2)
    above_share = position - below
    return [(below, 1.0 - above_share), (below + 1, above_share)]

"""Lists by asking: a policy distributes each slot over what is left for it.

One of the conditionals of a list, and the usual way to one from a policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policy.base import Candidates
from policy.errors import DecisionError
from policy.slots.base import Array, Conditionals, Mask, Plan
from policy.slots.layers import SMALLEST_WEIGHT, Layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.base import Policy
    from policy.bounds import Floats

EVEN = 1e-9
"""Shares of a policy's best, relative to the largest, that are equal up to rounding."""


class View(NamedTuple):
    """What a policy sees of one slot; the slot's position may be a feature of either.

    Args:
        context: (n_context,).
        candidates: All candidates of the plan, in its order, with their features for this slot.
    """

    context: Floats
    candidates: Candidates


class Asked(Conditionals):
    """The policy's own distribution over what is left, floor included.

    Every answer is kept, so a policy that samples answers the same when asked for the same again:
    what is drawn and what is logged are one distribution.

    Args:
        plan: Slots and candidates.
        policy: Must not learn while this is in use.
        views: One for all slots, or one for each.
        rng: For policies that sample.

    Raises:
        DecisionError: Another number of views, or candidates that are not the plan's.

    Example:
        >>> from policy.bandits.squarecb import SquareCB
        >>> from policy.slots.base import Slot
        >>> plan = Plan.of([Slot("top"), Slot("side")], ("a", "b", "c"))
        >>> view = View(np.ones(1), Candidates(plan.ids, np.zeros((3, 0))))
        >>> asked = Asked(plan, SquareCB(1, 0), [view], np.random.default_rng(0))
        >>> asked.given(1, np.array([False, True, False]))
        array([0.5, 0. , 0.5])
    """

    def __init__(
        self, plan: Plan, policy: Policy, views: Sequence[View], rng: np.random.Generator
    ) -> None:
        super().__init__(plan)
        if len(views) not in {1, len(plan.names)}:
            raise DecisionError(f"{len(views)} views: must be 1, or {len(plan.names)} as the slots")
        if any(view.candidates.ids != plan.ids for view in views):
            raise DecisionError("views: each must have the plan's candidates, in its order")
        self._policy = policy
        self._views = views
        self._rng = rng
        self._kept: dict[tuple[int, bytes], Array] = {}

    def _over(self, slot: int, left: Mask) -> Array:
        view = 0 if len(self._views) == 1 else slot
        key = view, left.tobytes()
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = np.zeros(len(left))
            context, candidates = self._views[view]
            kept[left] = self._policy.distribution(context, _those(candidates, left), self._rng)
        return kept

    def layers(self, *, proportional: bool = False) -> Layers | None:
        """The same as layers: what the policy would choose, then what of the rest, and so on.

        Args:
            proportional: Accept shares that differ within a layer, and keep to them: a slot is then
                proportional to what is left of the policy's first answer.

        Returns:
            None when slots have views of their own, or shares differ that may not.
        """
        if len(self._views) > 1:
            return None
        n_actions = len(self.plan.ids)
        weight = np.ones(n_actions)
        layer = np.full(n_actions, n_actions)
        left = self.plan.shown
        depth = 0
        while left.any() and not self._deep_enough(~left):
            shares, chosen = self._first_choice(left)
            if not proportional and np.ptp(shares[chosen]) > EVEN * shares.max():
                return None
            if proportional:
                weight[chosen] = shares[chosen]
            layer[chosen] = depth
            left &= ~chosen
            depth += 1
        return Layers(self.plan, layer, weight, floor=self._policy.floor)

    def _first_choice(self, left: Mask) -> tuple[Array, Mask]:
        """The policy's shares without the floor, and who has any."""
        # The very number that the policy added, so that what had nothing has exactly 0 again.
        shares = self._over(0, left) - self._policy.floor / np.count_nonzero(left)
        chosen = left & (shares >= SMALLEST_WEIGHT)
        # A floor that is all but 1 leaves nothing to tell actions apart by.
        return (shares, chosen) if chosen.any() else (left.astype(np.float64), left)

    def _deep_enough(self, asked: Mask) -> bool:
        """Whether no slot can run out of what was asked for: at most its place is taken by then."""
        eligible = self.plan.eligible
        known = np.count_nonzero(eligible & asked, axis=1)
        needed = np.arange(1, len(known) + 1)
        return bool((known >= np.minimum(needed, np.count_nonzero(eligible, axis=1))).all())


def ask(
    policy: Policy,
    plan: Plan,
    views: Sequence[View],
    rng: np.random.Generator,
    *,
    proportional: bool = False,
) -> Conditionals:
    """How a policy fills these slots.

    A policy that puts all but its floor on its best (those that tie share) gives a ranking, as
    ``Layers``: it is asked as often as there are slots, and every list's probability follows. Any
    other is ``Asked`` for each slot anew. Which of the two is settled before anything is drawn.

    Args:
        policy: Must not learn while the result is in use.
        plan: Slots and candidates.
        views: One for all slots, or one for each: then the policy is asked for each.
        rng: For policies that sample.
        proportional: Rather renormalise the policy's first answer over what is left; one view.

    Raises:
        DecisionError: Views that do not fit the plan, or several with ``proportional``.

    Example:
        >>> from policy.bandits.linucb import LinUCB
        >>> from policy.slots.base import Slot, fill
        >>> plan = Plan.of([Slot("top"), Slot("side")], ("a", "b", "c"))
        >>> view = View(np.ones(1), Candidates(plan.ids, np.zeros((3, 0))))
        >>> rng = np.random.default_rng(0)
        >>> round(fill(ask(LinUCB(1, 0), plan, [view], rng), rng).joint, 3)
        0.167
    """
    asked = Asked(plan, policy, views, rng)
    layers = asked.layers(proportional=proportional)
    if layers is None and proportional:
        raise DecisionError(
            f"{len(views)} views: proportional lists have one for all slots; leave proportional out"
        )
    return layers or asked


def _those(candidates: Candidates, left: Mask) -> Candidates:
    if left.all():
        return candidates
    ids = candidates.ids
    costs = candidates.costs
    return Candidates(
        tuple(ids[i] for i in left.nonzero()[0].tolist()),
        candidates.features[left],
        None if costs is None else costs[left],
    )

"""The exact probability that an action is in a slot, whatever the others show.

What slate estimators weight by, beside the joint and the conditional probabilities of a list.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from policy.errors import UnsupportedError
from policy.slots.base import EMPTY, Array, Conditionals
from policy.slots.layers import Layers
from policy.slots.plackett_luce import plackett_luce_marginals

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

Gone = tuple[int, ...]

MOST_STATES = 20_000
"""Sets of actions, up to who is interchangeable, that are gone through."""


def marginals(conditionals: Conditionals) -> Array:
    """P(action in slot), summed over every list, without drawing any.

    Which lists need which way, all of them exact:

    - a ranking with a floor, or evenly shared layers (what most policies give): dynamic programming
      over how many better, equal and worse actions are gone; any number of actions;
    - different weights without a floor (Plackett-Luce): one-dimensional quadrature to 1e-12; any
      number of actions;
    - anything else: dynamic programming over the sets that can be gone, actions of equal weight and
      eligibility counted together, up to 20,000 states.

    Args:
        conditionals: Of the lists. ``Asked`` asks its policy for every set that can be left.

    Returns:
        (n_slots, n_actions). A row sums to the probability that its slot shows something.

    Raises:
        UnsupportedError: None of these ways is open; the conditionals are exact all the same.

    Example:
        >>> from policy.slots.base import Plan, Slot
        >>> plan = Plan.of([Slot("top"), Slot("side")], ("a", "b", "c"))
        >>> marginals(Layers(plan, [0, 0, 0], [2.0, 1.0, 1.0])).round(6)
        array([[0.5     , 0.25    , 0.25    ],
               [0.333333, 0.333333, 0.333333]])
    """
    if not isinstance(conditionals, Layers):
        return _over_sets(conditionals)
    if not conditionals.plan.uniform:
        return _of_classes(conditionals, _apart(conditionals))
    return _layer_by_layer(conditionals)


def _over_sets(conditionals: Conditionals) -> Array:
    """Each set of actions that can be gone is a state."""
    n_slots, n_actions = conditionals.plan.eligible.shape
    _refuse_too_many([1] * n_actions, n_slots)
    return _forward(
        [1] * n_actions,
        n_slots,
        lambda slot, gone: conditionals.given(slot, np.array(gone, np.bool_)).tolist(),
    )


def _forward(
    sizes: Sequence[int], n_slots: int, shares: Callable[[int, Gone], Sequence[float]]
) -> Array:
    """P(the action in a slot is of a class), (n_slots, n_classes).

    Args:
        sizes: Number of actions in each class.
        n_slots: Number of slots.
        shares: Of a slot and the numbers gone of each class: P(the next is of a class).
    """
    drawn = np.zeros((n_slots, len(sizes)))
    reached: dict[Gone, float] = {(0,) * len(sizes): 1.0}
    for slot in range(n_slots):
        following: dict[Gone, float] = defaultdict(float)
        for gone, probability in reached.items():
            some = False
            for index, share in enumerate(shares(slot, gone)):
                if share:
                    some = True
                    mass = probability * share
                    drawn[slot, index] += mass
                    following[(*gone[:index], gone[index] + 1, *gone[index + 1 :])] += mass
            if not some:
                following[gone] += probability
        reached = following
    return drawn


def _refuse_too_many(sizes: Sequence[int], n_slots: int) -> None:
    if _n_states(sizes, n_slots) > MOST_STATES:
        raise UnsupportedError(
            f"{sum(sizes)} actions in {n_slots} slots: their marginals would go through more than "
            f"{MOST_STATES} sets; have fewer, or take a policy that ranks (such as linucb) and the "
            "same eligible actions in all slots. The conditional probabilities are exact anyhow"
        )


def _n_states(sizes: Sequence[int], n_slots: int) -> float:
    """How many ways there are for fewer than ``n_slots`` to be gone."""
    ways = np.zeros(n_slots)
    ways[0] = 1.0
    for size in sizes:
        # Of this class 0 to size are gone: a difference of two running sums.
        up_to = np.concatenate((np.zeros(size + 1), ways.cumsum()))
        ways = up_to[size + 1 :] - up_to[:n_slots]
    return float(ways.sum())


class _Class(NamedTuple):
    """Actions that can be told apart by nothing that matters.

    Args:
        members: Their places.
        layer: Of all of them.
        weight: Of each.
        eligible: For which slots, (n_slots,).
    """

    members: list[int]
    layer: int
    weight: float
    eligible: npt.NDArray[np.bool_]


def _apart(layers: Layers) -> list[_Class]:
    """Classes by layer, weight and eligibility; a baseline stands alone."""
    baselines = frozenset(layers.plan.baselines)

    def key(action: int) -> Hashable:
        alone = action if action in baselines else EMPTY
        pattern = layers.plan.eligible[:, action].tobytes()
        return int(layers.layer[action]), float(layers.weight[action]), pattern, alone

    shown = layers.plan.shown
    return _classes(layers, [a for a in range(len(shown)) if shown[a] or a in baselines], key)


def _around(layers: Layers, target: int) -> list[_Class]:
    """Classes of one layer by weight, what is better than it and what is worse, each as one."""

    def key(action: int) -> Hashable:
        layer = int(layers.layer[action])
        if layer == target:
            return layer, float(layers.weight[action])
        return (layer > target) - (layer < target)

    return _classes(layers, np.flatnonzero(layers.plan.eligible[0]).tolist(), key)


def _classes(
    layers: Layers, actions: Sequence[int], key: Callable[[int], Hashable]
) -> list[_Class]:
    grouped: dict[Hashable, list[int]] = defaultdict(list)
    for action in actions:
        grouped[key(action)].append(action)
    return [
        _Class(
            members,
            int(layers.layer[members[0]]),
            float(layers.weight[members[0]]),
            layers.plan.eligible[:, members[0]],
        )
        for members in grouped.values()
    ]


def _of_classes(layers: Layers, classes: Sequence[_Class]) -> Array:
    """Dynamic programming over how many of each class are gone."""
    n_slots, n_actions = layers.plan.eligible.shape
    sizes = [len(one.members) for one in classes]
    _refuse_too_many(sizes, n_slots)
    drawn = _forward(sizes, n_slots, _Rule(layers, classes))
    marginal = np.zeros((n_slots, n_actions))
    for index, one in enumerate(classes):
        marginal[:, one.members] = drawn[:, [index]] / len(one.members)
    return marginal


class _Rule:
    """``Layers.given`` for classes instead of actions."""

    def __init__(self, layers: Layers, classes: Sequence[_Class]) -> None:
        self._classes = classes
        self._floor = layers.floor
        places = {one.members[0]: i for i, one in enumerate(classes) if len(one.members) == 1}
        self._baselines = [places.get(baseline) for baseline in layers.plan.baselines]

    def __call__(self, slot: int, gone: Gone) -> list[float]:
        classes = self._classes
        left = [
            len(one.members) - out if one.eligible[slot] else 0
            for one, out in zip(classes, gone, strict=True)
        ]
        n_left = sum(left)
        if not n_left:
            return self._fallback(slot, gone)
        first = min(one.layer for one, n in zip(classes, left, strict=True) if n)
        weights = [
            one.weight * n if one.layer == first else 0.0
            for one, n in zip(classes, left, strict=True)
        ]
        best = (1.0 - self._floor) / sum(weights)
        even = self._floor / n_left
        return [best * w + even * n for w, n in zip(weights, left, strict=True)]

    def _fallback(self, slot: int, gone: Gone) -> list[float]:
        shares = [0.0] * len(gone)
        baseline = self._baselines[slot]
        if baseline is not None and not gone[baseline]:
            shares[baseline] = 1.0
        return shares


def _layer_by_layer(layers: Layers) -> Array:
    """With the same eligible actions in all slots: each layer beside all better and all worse."""
    plan = layers.plan
    n_slots = len(plan.names)
    actions = np.flatnonzero(plan.eligible[0])
    depths = layers.layer[actions]
    marginal = np.zeros(plan.eligible.shape)
    for target in np.unique(depths).tolist():
        members = actions[depths == target]
        n_better = int(np.count_nonzero(depths < target))
        if n_better >= n_slots:
            # Better ones are left in every slot, so these have nothing but the floor.
            marginal[:, actions[depths >= target]] = _by_floor_alone(layers, len(actions))[:, None]
            break
        classes = _around(layers, target)
        sizes = [len(one.members) for one in classes]
        if layers.floor == 0.0 and _n_states(sizes, n_slots) > MOST_STATES:
            weights = layers.weight[members]
            marginal[n_better:, members] = plackett_luce_marginals(weights, n_slots - n_better)
        else:
            marginal[:, members] = _of_classes(layers, classes)[:, members]
    return _with_baselines(marginal, plan.baselines, actions)


def _by_floor_alone(layers: Layers, n_actions: int) -> Array:
    """P(in slot) of an action that is never the best: not drawn before, then drawn, (n_slots,)."""
    even = layers.floor / (n_actions - np.arange(len(layers.plan.names)))
    before = np.concatenate(([1.0], 1.0 - even[:-1])).cumprod()
    by_floor: Array = before * even
    return by_floor


def _with_baselines(
    marginal: Array, baselines: Sequence[int], actions: npt.NDArray[np.intp]
) -> Array:
    """Behind the last eligible action nothing is left to chance."""
    shown = set(actions.tolist())
    for slot in range(len(actions), len(baselines)):
        baseline = baselines[slot]
        if baseline != EMPTY and baseline not in shown:
            marginal[slot, baseline] = 1.0
            shown.add(baseline)
    return marginal

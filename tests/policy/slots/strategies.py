"""Plans and conditionals for the tests of lists, and the slow way to their probabilities."""

from __future__ import annotations

from itertools import count

import numpy as np
from hypothesis import strategies as st

from policy.slots.base import Conditionals, Plan, Slot
from policy.slots.layers import Layers

IDS = tuple("abcdefg")

floors = st.sampled_from([0.0, 0.01, 0.3, 0.99])


def open_plan(n_slots: int, n_actions: int) -> Plan:
    """Every slot may show everything."""
    ids = tuple(f"action-{i}" for i in range(n_actions))
    return Plan.of([Slot(f"slot-{i}") for i in range(n_slots)], ids)


@st.composite
def plans(draw: st.DrawFn, n_actions: int = 5, n_slots: int = 5) -> Plan:
    """Slots with and without exclusions and baselines; also more slots than candidates."""
    ids = IDS[: draw(st.integers(1, n_actions))]
    anything = st.frozensets(st.sampled_from(ids))
    excluded = draw(st.sampled_from([st.just(frozenset()), anything]))
    baselines = st.sampled_from([None, *ids])
    names = (f"slot-{i}" for i in count())
    slots = st.builds(Slot, st.builds(names.__next__), excluded, baselines)
    return Plan.of(draw(st.lists(slots, min_size=1, max_size=n_slots)), ids)


@st.composite
def layers(draw: st.DrawFn) -> Layers:
    plan = draw(plans())
    n = len(plan.ids)
    layer = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    weights = st.one_of(st.sampled_from([1.0, 2.0]), st.floats(1e-6, 1.0))
    return Layers(plan, layer, draw(st.lists(weights, min_size=n, max_size=n)), floor=draw(floors))


def all_lists(conditionals: Conditionals) -> dict[tuple[int, ...], float]:
    """Every list that can be, with its probability: the product of its conditionals."""
    n_slots, n_actions = conditionals.plan.eligible.shape
    lists = {(): 1.0}
    for slot in range(n_slots):
        longer: dict[tuple[int, ...], float] = {}
        for chosen, probability in lists.items():
            taken = np.isin(np.arange(n_actions), chosen)
            shares = conditionals.given(slot, taken)
            for action in np.flatnonzero(shares).tolist():
                longer[*chosen, action] = probability * float(shares[action])
            if not shares.any():
                longer[*chosen, -1] = probability
        lists = longer
    return lists


def summed(lists: dict[tuple[int, ...], float], n_actions: int) -> np.ndarray:
    """P(action in slot), by adding up lists; (n_slots, n_actions)."""
    n_slots = len(next(iter(lists)))
    total = np.zeros((n_slots, n_actions))
    for chosen, probability in lists.items():
        for slot, action in enumerate(chosen):
            if action >= 0:
                total[slot, action] += probability
    return total

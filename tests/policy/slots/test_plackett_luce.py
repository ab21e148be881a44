"""The quadrature: exact to rounding, whatever the weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.slots import plackett_luce
from policy.slots.layers import Layers
from policy.slots.plackett_luce import plackett_luce_marginals
from tests.policy.slots.strategies import all_lists, open_plan, summed


@settings(deadline=None)
@given(st.lists(st.floats(-12.0, 0.0), min_size=1, max_size=6), st.integers(1, 7))
def test_it_equals_the_sum_over_all_lists(exponents: list[float], n_slots: int) -> None:
    weights = 10.0 ** np.array(exponents)
    lists = all_lists(Layers(open_plan(n_slots, len(weights)), [0] * len(weights), weights))
    expected = summed(lists, len(weights))
    marginal = plackett_luce_marginals(weights, n_slots)
    np.testing.assert_allclose(marginal, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("n_actions", "n_slots", "decades"), [(100, 10, 0), (100, 50, 6), (60, 60, 2), (400, 30, 4)]
)
def test_a_finer_step_changes_nothing(
    n_actions: int, n_slots: int, decades: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(n_actions)
    weights = 10.0 ** -rng.uniform(0.0, decades, size=n_actions)
    marginal = plackett_luce_marginals(weights, n_slots)
    monkeypatch.setattr(plackett_luce, "STEP", plackett_luce.STEP / 2.0)
    finer = plackett_luce_marginals(weights, n_slots)
    np.testing.assert_allclose(marginal, finer, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("n_actions", "n_slots"), [(500, 30), (60, 60)])
def test_a_slot_shows_one_and_an_action_is_shown_once(n_actions: int, n_slots: int) -> None:
    weights = 10.0 ** -np.random.default_rng(2).uniform(0.0, 4.0, size=n_actions)
    marginal = plackett_luce_marginals(weights, n_slots)
    np.testing.assert_allclose(marginal.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    shown = marginal.sum(axis=0)
    assert (shown <= 1.0 + 1e-12).all()
    if n_slots == n_actions:
        np.testing.assert_allclose(shown, 1.0, rtol=0, atol=1e-12)


def test_the_first_place_is_the_share_of_the_weight() -> None:
    weights = np.array([1e-90, 1.0, 1e-30, 7.0])
    np.testing.assert_allclose(
        plackett_luce_marginals(weights, 1)[0], weights / weights.sum(), rtol=1e-13
    )

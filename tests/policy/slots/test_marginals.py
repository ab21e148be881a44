"""Marginals: what adding up all lists would give, in every way that leads there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from policy.errors import UnsupportedError
from policy.slots import marginals as ways
from policy.slots.base import Conditionals, Mask, Plan, Slot, fill
from policy.slots.layers import Layers
from policy.slots.marginals import marginals
from tests.policy.slots.strategies import all_lists, layers, open_plan, summed


class Unknown(Conditionals):
    """Conditionals of which nothing is known but what they answer."""

    def __init__(self, layers: Layers) -> None:
        super().__init__(layers.plan)
        self._layers = layers

    def _over(self, slot: int, left: Mask) -> np.ndarray:
        return self._layers.given(slot, ~left)


@settings(deadline=None, max_examples=300)
@given(layers())
def test_marginals_are_sums_over_lists(conditionals: Layers) -> None:
    expected = summed(all_lists(conditionals), len(conditionals.plan.ids))
    np.testing.assert_allclose(marginals(conditionals), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(marginals(Unknown(conditionals)), expected, rtol=0, atol=1e-12)


@settings(deadline=None)
@given(layers())
def test_quadrature_takes_over_where_there_are_too_many_sets(conditionals: Layers) -> None:
    """Both ways to the same numbers: the second with no set allowed."""
    unfloored = Layers(
        Plan(
            conditionals.plan.names,
            conditionals.plan.ids,
            np.ones_like(conditionals.plan.eligible),
            conditionals.plan.baselines,
        ),
        conditionals.layer,
        conditionals.weight,
    )
    expected = marginals(unfloored)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ways, "MOST_STATES", 0)
        np.testing.assert_allclose(marginals(unfloored), expected, rtol=0, atol=1e-12)


def test_a_ranking_of_many_is_exact_with_its_floor() -> None:
    """Against the recursion by hand: the best of 10,000 in the first two slots."""
    n, floor = 10_000, 0.01
    marginal = marginals(Layers(open_plan(10, n), np.arange(n), np.ones(n), floor=floor))
    best = 1.0 - floor + floor / n
    assert marginal[0, 0] == pytest.approx(best, rel=1e-14)
    assert marginal[1, 1] == pytest.approx(
        best * (1.0 - floor + floor / (n - 1)) + (1.0 - best - floor / n) * floor / (n - 1),
        rel=1e-12,
    )
    np.testing.assert_allclose(marginal.sum(axis=1), 1.0, rtol=1e-12)
    assert (marginal.sum(axis=0) <= 1.0 + 1e-12).all()


def test_the_share_of_draws_is_the_marginal() -> None:
    plan = Plan.of([Slot("top"), Slot("side", frozenset("a")), Slot("foot")], tuple("abcdef"))
    conditionals = Layers(plan, [0, 0, 1, 1, 2, 2], [3.0, 1.0, 1.0, 1.0, 2.0, 1.0], floor=0.3)
    rng, n = np.random.default_rng(1), 20_000
    counts = np.zeros((3, 6))
    for _ in range(n):
        counts[np.arange(3), fill(conditionals, rng).chosen] += 1
    exact = marginals(conditionals)
    errors = np.sqrt(exact * (1.0 - exact) / n)
    assert (np.abs(counts / n - exact) <= 4.5 * errors + 1e-12).all()


def test_what_cannot_be_summed_is_refused_with_the_remedy() -> None:
    conditionals = Layers(open_plan(8, 60), np.zeros(60, int), np.arange(1.0, 61.0), floor=0.01)
    with pytest.raises(UnsupportedError, match=r"60 actions in 8 slots.*have fewer"):
        marginals(conditionals)


def test_equal_weights_are_counted_and_not_told_apart() -> None:
    """The samples of a Monte-Carlo policy: few shares, many actions."""
    weight = np.repeat([1.0, 2.0, 5.0], [50, 30, 20])
    marginal = marginals(Layers(open_plan(5, 100), np.zeros(100, int), weight, floor=0.05))
    np.testing.assert_allclose(marginal.sum(axis=1), 1.0, rtol=1e-12)
    assert marginal[0] == pytest.approx(0.95 * weight / weight.sum() + 0.0005)

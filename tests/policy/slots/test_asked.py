"""Lists from policies: every kind fills slots, and every probability is the one that is used."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from policy.bandits.build import POLICY_KINDS, make_policy
from policy.base import Batch, Candidates, Policy
from policy.errors import DecisionError
from policy.slots.asked import Asked, View, ask
from policy.slots.base import Plan, Slot, conditionals_of, fill
from policy.slots.layers import Layers
from policy.slots.marginals import marginals
from tests.policy.slots.strategies import all_lists, summed

N_CONTEXT, N_SHARED, IDS = 3, 2, tuple("abcde")

every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)


def trained(kind: str, **parameters: float) -> Policy:
    policy = make_policy(kind, N_CONTEXT, N_SHARED, **parameters)
    rng, n = np.random.default_rng(5), 150
    chosen = rng.integers(len(IDS), size=n)
    contexts = np.column_stack((np.ones(n), rng.normal(size=(n, N_CONTEXT - 1))))
    features = rng.normal(size=(n, N_SHARED))
    means = chosen / 5.0 + contexts[:, 1] * (chosen - 2.0) / 4.0
    rewards = np.clip(means + rng.normal(size=n) / 5.0, 0.0, 1.0)
    ids = tuple(IDS[i] for i in chosen)
    policy.update(Batch(contexts, features, ids, rewards, np.ones(n, bool)))
    return policy


def view(seed: int = 0, costs: np.ndarray | None = None) -> View:
    rng = np.random.default_rng(seed)
    context = np.array([1.0, *rng.normal(size=N_CONTEXT - 1)])
    return View(context, Candidates(IDS, rng.normal(size=(len(IDS), N_SHARED)), costs))


def plan(*excluded: str) -> Plan:
    return Plan.of([Slot(f"slot-{i}", frozenset(out)) for i, out in enumerate(excluded)], IDS)


@every_kind
@pytest.mark.parametrize("views", [1, 3])
def test_every_kind_fills_lists_whose_probabilities_add_up(kind: str, views: int) -> None:
    seen = [view(seed) for seed in range(views)]
    conditionals = ask(trained(kind), plan("", "ab", "c"), seen, np.random.default_rng(0))
    lists = all_lists(conditionals)
    assert sum(lists.values()) == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(marginals(conditionals), summed(lists, len(IDS)), rtol=0, atol=1e-12)


@every_kind
def test_draws_of_every_kind_are_distributed_as_logged(kind: str) -> None:
    rng, n = np.random.default_rng(3), 5_000
    conditionals = ask(trained(kind, floor=0.2), plan("", "a", ""), [view()], rng)
    lists = all_lists(conditionals)
    drawn = Counter(fill(conditionals, rng).chosen for _ in range(n))
    assert drawn.keys() <= lists.keys()
    common = [chosen for chosen, probability in lists.items() if probability * n >= 5.0]
    observed = np.array([drawn[chosen] for chosen in common])
    expected = np.array([lists[chosen] for chosen in common])
    expected *= observed.sum() / expected.sum()
    assert chisquare(observed, expected).pvalue > 1e-4


@every_kind
def test_the_first_slot_is_the_policy_itself(kind: str) -> None:
    policy = trained(kind)
    context, candidates = seen = view()
    conditionals = ask(policy, plan("", ""), [seen], np.random.default_rng(7))
    alone = policy.distribution(context, candidates, np.random.default_rng(7))
    nothing = np.zeros(len(IDS), np.bool_)
    np.testing.assert_allclose(conditionals.given(0, nothing), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["default", "linucb"])
def test_a_policy_that_ranks_is_the_same_in_layers_as_asked_anew(kind: str) -> None:
    policy, slots = trained(kind), plan("", "ab", "")
    costs = np.array([0.0, 0.3, 0.0, 0.2, 0.1])
    rng = np.random.default_rng(0)
    layered = ask(policy, slots, [view(costs=costs)], rng)
    assert isinstance(layered, Layers)
    anew = all_lists(Asked(policy=policy, plan=slots, views=[view(costs=costs)], rng=rng))
    assert all_lists(layered) == pytest.approx(anew, rel=1e-9)


def test_costs_are_charged_among_what_is_left() -> None:
    """Too dear to be shown: the best of those left, were it free."""
    policy = trained("linucb")
    context, free = view()
    taken = np.array([True, False, False, False, False])
    nothing = Asked(plan("", ""), policy, [View(context, free)], np.random.default_rng(0))
    best = int(nothing.given(1, taken).argmax())
    costs = np.zeros(len(IDS))
    costs[best] = 1e3
    dear = View(context, Candidates(IDS, free.features, costs))
    asked = Asked(plan("", ""), policy, [dear], np.random.default_rng(0))
    assert asked.given(1, taken)[best] == pytest.approx(policy.floor / 4.0)


def test_ties_share_a_layer() -> None:
    untrained = make_policy("linucb", N_CONTEXT, N_SHARED)
    alike = View(np.ones(N_CONTEXT), Candidates(IDS, np.zeros((len(IDS), N_SHARED))))
    layered = ask(untrained, plan("", ""), [alike], np.random.default_rng(0))
    assert isinstance(layered, Layers)
    assert marginals(layered) == pytest.approx(np.full((2, 5), 0.2))


def test_softmax_in_proportion_is_softmax_asked_anew() -> None:
    """Luce's axiom: without a floor, softmax over what is left is what is left of softmax."""
    policy = trained("softmax", temperature=0.5, floor=0.0)
    rng = np.random.default_rng(0)
    luce = ask(policy, plan("", "", ""), [view()], rng, proportional=True)
    anew = ask(policy, plan("", "", ""), [view()], rng)
    assert isinstance(luce, Layers)
    assert isinstance(anew, Asked)
    assert all_lists(luce) == pytest.approx(all_lists(anew), rel=1e-9)


def test_a_sampling_policy_answers_the_same_twice() -> None:
    asked = Asked(plan("", ""), trained("lints"), [view()], np.random.default_rng(0))
    filled = fill(asked, np.random.default_rng(1))
    np.testing.assert_array_equal(conditionals_of(asked, filled.chosen), filled.conditionals)


def test_position_as_a_feature_changes_what_is_shown() -> None:
    """Action b pays in the first slot only, and the policy is told so by a feature."""
    policy = make_policy("linucb", 1, 1, floor=0.0)
    n = 400
    rng = np.random.default_rng(0)
    chosen, first = rng.integers(2, size=n), rng.integers(2, size=n)
    features = (chosen * (2.0 * first - 1.0))[:, None]
    ids = tuple("ab"[i] for i in chosen)
    policy.update(Batch(np.ones((n, 1)), features, ids, features[:, 0], np.ones(n, bool)))

    def seen(first: bool) -> View:
        features = np.array([[0.0], [1.0 if first else -1.0]])
        return View(np.ones(1), Candidates(("a", "b"), features))

    two = Plan.of([Slot("first"), Slot("second")], ("a", "b"))
    filled = fill(ask(policy, two, [seen(True), seen(False)], rng), rng)
    assert filled.chosen == (1, 0)
    second = Plan.of([Slot("second")], ("a", "b"))
    assert fill(ask(policy, second, [seen(False)], rng), rng).chosen == (0,)


def test_each_slot_is_asked_about_in_its_own_view() -> None:
    policy = trained("softmax", temperature=1.0)
    views = [view(1), view(2)]
    asked = Asked(plan("", ""), policy, views, np.random.default_rng(0))
    nothing = np.zeros(len(IDS), np.bool_)
    for slot, (context, candidates) in enumerate(views):
        alone = policy.distribution(context, candidates, np.random.default_rng(0))
        np.testing.assert_array_equal(asked.given(slot, nothing), alone)


def test_a_floor_that_is_all_but_one_still_ranks() -> None:
    policy = trained("linucb", floor=1.0 - 2.0**-53)
    conditionals = ask(policy, plan("", ""), [view()], np.random.default_rng(0))
    assert sum(all_lists(conditionals).values()) == pytest.approx(1.0, abs=1e-12)


def test_a_list_without_candidates_for_any_slot_asks_nobody() -> None:
    nobody = plan("abcde", "abcde")
    filled = fill(ask(trained("lints"), nobody, [view()], np.random.default_rng(0)), None)
    assert filled.chosen == (-1, -1)


def test_views_must_fit_the_plan() -> None:
    rng = np.random.default_rng(0)
    policy = trained("linucb")
    with pytest.raises(DecisionError, match="2 views: must be 1, or 3 as the slots"):
        ask(policy, plan("", "", ""), [view(), view()], rng)
    with pytest.raises(DecisionError, match="must have the plan's candidates"):
        ask(policy, Plan.of([Slot("top")], ("b", "a")), [view()], rng)
    with pytest.raises(DecisionError, match="leave proportional out"):
        ask(policy, plan("", ""), [view(), view()], rng, proportional=True)

"""A challenger beside the champion: exact probabilities, and two policies that learn as alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from policy.bandits.build import make_policy
from policy.base import Batch, Candidates, draw
from policy.errors import BatchError, ParameterError, StateError, UnsupportedError
from policy.mixture import Mixture, mix
from policy.model_file import dump, load

N_CONTEXT, N_SHARED = 4, 2
KINDS = ("linucb", "squarecb")
FLOOR = 0.02


def single(kind, floor=0.0):
    return make_policy(kind, N_CONTEXT, N_SHARED, floor=floor)


def mixture(share=0.25, kinds=KINDS):
    return Mixture(single(kinds[0], FLOOR), single(kinds[1]), share)


def rows(seed, n=40):
    rng = np.random.default_rng(seed)
    contexts = rng.normal(size=(n, N_CONTEXT))
    contexts[:, 0] = 1.0
    ids = tuple(f"a{i}" for i in rng.integers(5, size=n))
    return Batch(
        contexts, rng.normal(size=(n, N_SHARED)), ids, rng.normal(size=n), np.ones(n, np.bool_)
    )


def decision(seed, n_actions=5):
    rng = np.random.default_rng(seed)
    ids = tuple(f"a{i}" for i in range(n_actions))
    return rng.normal(size=N_CONTEXT), Candidates(ids, rng.normal(size=(n_actions, N_SHARED)))


def bits(policy):
    manifest, arrays = policy.state()
    return manifest, {name: array.tobytes() for name, array in arrays.items()}


class Picky:
    """Makes a policy refuse what another learns."""

    def __init__(self, policy):
        self.take, policy._update = policy._update, self

    def __call__(self, batch):
        if (batch.rewards < 0).any():
            raise BatchError("a reward below 0")
        self.take(batch)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 9), st.floats(0, 1))
def test_the_distribution_is_the_mixture_of_the_two(seed, n_actions, share):
    policy = mixture(share)
    alone = [single(kind) for kind in KINDS]
    for each in (policy, *alone):
        each.update(rows(seed))
    context, candidates = decision(seed + 1, n_actions)
    rng = np.random.default_rng
    ours, theirs = (each.distribution(context, candidates, rng(7)) for each in alone)
    mixed = (1 - FLOOR) * ((1 - share) * ours + share * theirs) + FLOOR / n_actions
    probabilities, expected = policy.decide(context, candidates, rng(7))
    np.testing.assert_allclose(probabilities, mixed, rtol=1e-12, atol=0)
    assert abs(probabilities.sum() - 1) < 1e-9
    np.testing.assert_allclose(expected, alone[0].expected_rewards(context, candidates), rtol=1e-9)
    np.testing.assert_allclose(expected, policy.expected_rewards(context, candidates), rtol=1e-9)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.floats(0, 1),
)
def test_what_neither_would_show_keeps_exactly_zero(ours, theirs, share):
    ours, theirs = np.array([0.0, *ours]), np.array([0.0, *theirs[: len(ours)]])
    assert mix(ours, theirs, share)[0] == 0.0


def test_draws_follow_the_mixture():
    policy = mixture(0.5, ("linucb", "lints"))
    policy.update(rows(1))
    context, candidates = decision(2)
    probabilities = policy.distribution(context, candidates, np.random.default_rng(3))
    drawn = [draw(probabilities, u) for u in np.random.default_rng(4).random(100_000)]
    counts = np.bincount(drawn, minlength=len(probabilities))
    assert chisquare(counts, 100_000 * probabilities).pvalue > 1e-4


def test_costs_reach_both():
    policy = mixture(0.5)
    policy.update(rows(1))
    context, candidates = decision(2)
    dear = Candidates(candidates.ids, candidates.features, np.array([1e3, 0, 0, 0, 0]))
    probabilities, expected = policy.decide(context, dear, np.random.default_rng(3))
    assert probabilities[0] < FLOOR / 5 + 0.01
    np.testing.assert_allclose(expected, policy.expected_rewards(context, candidates), rtol=1e-9)


def test_both_learn_as_if_they_were_alone():
    policy, alone = mixture(), [single(kind) for kind in KINDS]
    for each in (policy, *alone):
        each.update(rows(1, 30))
        each.update(rows(2, 30))
    assert bits(policy.champion) == bits(alone[0])
    assert bits(policy.challenger) == bits(alone[1])
    assert policy.n_updates == 60


def test_saved_it_resumes_to_the_bit():
    policy, other = mixture(), mixture()
    policy.update(rows(1))
    other.load_state(*load(dump(*policy.state())))
    assert bits(other) == bits(policy)
    for each in (policy, other):
        each.update(rows(2))
    assert bits(other) == bits(policy)


def test_a_state_that_only_one_can_take_back_changes_neither():
    policy, other = mixture(), mixture(kinds=("linucb", "epsilon_greedy"))
    policy.update(rows(1))
    other.update(rows(2))
    before = bits(other)
    with pytest.raises(StateError, match="squarecb"):
        other.load_state(*policy.state())
    assert bits(other) == before
    for damage in ({"champion": 7}, {"n_refused": -1}):
        manifest, arrays = other.state()
        with pytest.raises(StateError, match=next(iter(damage))):
            other.load_state({**manifest, **damage}, arrays)
        assert bits(other) == before


def test_the_champion_learns_what_only_its_challenger_refuses():
    policy, alone = mixture(), [single(kind) for kind in KINDS]
    Picky(policy.challenger)
    batch = rows(1)
    kept = batch.rewards >= 0
    policy.update(batch)
    alone[0].update(batch)
    alone[1].update(
        Batch(
            batch.contexts[kept],
            batch.features[kept],
            tuple(np.array(batch.action_ids)[kept].tolist()),
            batch.rewards[kept],
            batch.first[kept],
        )
    )
    assert bits(policy.champion) == bits(alone[0])
    assert bits(policy.challenger) == bits(alone[1])
    assert policy.n_refused == (~kept).sum() > 0
    with pytest.raises(UnsupportedError, match="relearn both from the log"):
        policy.remove(rows(1, 2))


def test_what_the_champion_refuses_neither_learns():
    policy = mixture()
    Picky(policy.champion)
    before = bits(policy)
    with pytest.raises(BatchError, match="below 0"):
        policy.update(rows(1))
    assert bits(policy) == before


def test_rows_are_removed_from_both_and_replicas_merged_into_both():
    policy, alone = mixture(), [single(kind) for kind in KINDS]
    replica, replicas = mixture(), [single(kind) for kind in KINDS]
    for each in (policy, *alone):
        each.update(rows(1))
        each.update(rows(2, 10))
        each.remove(rows(2, 10))
    for each in (replica, *replicas):
        each.update(rows(3))
    policy.merge(*replica.state())
    for one, other in zip(alone, replicas, strict=True):
        one.merge(*other.state())
    assert bits(policy.champion) == bits(alone[0])
    assert bits(policy.challenger) == bits(alone[1])
    assert policy.n_updates == 80


def test_policies_of_other_sizes_cannot_be_mixed():
    with pytest.raises(ParameterError, match="challenger takes 3 context and 2 pair features"):
        Mixture(single("linucb"), make_policy("linucb", 3, N_SHARED), 0.1)
    with pytest.raises(ParameterError, match=r"share is 1\.5"):
        mixture(1.5)


def test_what_is_known_of_actions_is_what_the_champion_knows():
    policy, alone = mixture(), single("linucb", FLOOR)
    assert policy.summary() == []
    for one in (policy, alone):
        one.update(rows(7))
    assert policy.summary() == alone.summary()
    context, candidates = decision(8)
    ours, theirs = policy.explain(context, candidates), alone.explain(context, candidates)
    assert ours.context.tobytes() == theirs.context.tobytes()
    assert ours.deviations.tobytes() == theirs.deviations.tobytes()

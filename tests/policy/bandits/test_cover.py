"""Online cover: votes go where they are worth most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.bandits.cover import Cover, cover
from policy.base import Batch, Candidates
from policy.errors import ParameterError

SCORES = np.array([0.31, 1.0, 0.87, 0.2])


@pytest.mark.parametrize(("worth", "n_policies"), [(0.0, 16), (5.0, 1)])
def test_one_policy_or_nothing_to_gain_is_greedy(worth: float, n_policies: int) -> None:
    assert cover(SCORES, worth, 0.1, n_policies).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_votes_are_whole_and_the_best_has_most() -> None:
    shares = 16 * cover(SCORES, 1.0, 0.05, 16)
    assert shares.tolist() == np.round(shares).tolist()
    assert shares[1] > shares[2] > shares[3] >= 0.0


def test_actions_that_tie_share() -> None:
    np.testing.assert_allclose(cover(np.ones(3), 1.0, 0.1, 7), 1.0 / 3.0)


def test_many_votes_balance_rewards_against_what_covering_is_worth() -> None:
    """At the limit, score + worth ε / covered is the same for every action that has a share."""
    worth, least = 0.5, 0.02
    shares = cover(SCORES, worth, least, 1000)
    values = SCORES + worth * least / (least + (1.0 - 4 * least) * shares)
    covered = shares > 0.0
    assert covered[1]
    assert covered[2]
    np.testing.assert_allclose(values[covered], values[1], atol=0.01)
    assert (values[~covered] <= values[1] + 0.01).all()


@given(
    scores=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12),
    worth=st.floats(0.0, 1e6),
    share=st.floats(1e-6, 1.0),
)
def test_any_scores_make_a_distribution(scores: list[float], worth: float, share: float) -> None:
    shares = cover(np.array(scores), worth, share / len(scores), 16)
    assert shares.min() >= 0.0
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)


def test_covering_fades_with_experience() -> None:
    policy, ids = Cover(1, 0, floor=0.0), ("a", "b")
    pair, rng, best = Candidates(ids, np.ones((2, 0))), np.random.default_rng(0), []
    for n in (0, 10, 100, 1000):
        rewards = np.array([1.0, 0.0])[np.arange(n) % 2] + rng.normal(size=n)
        actions = tuple(ids[i % 2] for i in range(n))
        policy.update(Batch(np.ones((n, 1)), np.ones((n, 0)), actions, rewards, np.ones(n, bool)))
        best.append(float(policy.distribution(np.ones(1), pair, rng)[0]))
    assert best[0] == 0.5
    assert 0.5 < best[1] < 1.0
    assert best[-1] == 1.0


def test_the_even_part_is_as_in_the_paper() -> None:
    policy = Cover(1, 0, floor=0.0, uniform=1.0, psi=0.0)
    rewards = np.tile([1.0, 0.0, 0.0], 12)
    batch = Batch(
        np.ones((36, 1)), np.ones((36, 0)), ("a", "b", "c") * 12, rewards, np.ones(36, bool)
    )
    policy.update(batch)
    candidates = Candidates(("a", "b", "c"), np.ones((3, 0)))
    probabilities = policy.distribution(np.ones(1), candidates, np.random.default_rng(0))
    np.testing.assert_allclose(probabilities[1:], 1.0 / np.sqrt(3 * 36), rtol=1e-12)


@pytest.mark.parametrize("parameters", [{"n_policies": 0}, {"psi": -1.0}, {"uniform": 1.1}])
def test_impossible_parameters_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        Cover(1, 0, **parameters)

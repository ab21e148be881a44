"""Bag: heads that weigh the rows by chance, and votes that are the distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare, poisson

from policy.bandits.bag import Bag, poisson_weights
from policy.bandits.epsilon_greedy import EpsilonGreedy
from policy.base import Batch, Candidates
from policy.errors import ParameterError, StateError

PRIORS = {"prior_action": 1.0, "prior_intercept": 1.0, "prior_shared": 1.0}
ABC = ("a", "b", "c")


def rows(n: int, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    contexts = np.column_stack([np.ones(n), rng.normal(size=n)])
    ids = tuple(ABC[i] for i in rng.integers(3, size=n))
    return Batch(contexts, rng.normal(size=(n, 2)), ids, rng.random(n), np.ones(n, bool))


def heads(policy: Bag) -> np.ndarray:
    return np.array([head.model.own_weights(ABC) for head in policy.heads])


def test_weights_are_poisson_and_independent_between_heads() -> None:
    weights = np.array([poisson_weights(number, 2) for number in range(50_000)])
    for head in range(2):
        counts = np.bincount(weights[:, head], minlength=6)
        expected = poisson.pmf(np.arange(6), 1.0)
        counts, expected = (
            np.append(counts[:5], counts[5:].sum()),
            np.append(expected[:5], 1.0 - expected[:5].sum()),
        )
        assert chisquare(counts, 50_000 * expected).pvalue > 1e-3
    assert abs(np.corrcoef(weights.T)[0, 1]) < 0.02


def test_a_head_has_learned_each_row_as_often_as_it_weighs() -> None:
    policy, batch = Bag(2, 2, n_heads=3, **PRIORS), rows(40)
    policy.update(batch)
    weights = np.array([poisson_weights(number, 3) for number in range(40)])
    for head in range(3):
        alone = EpsilonGreedy(2, 2, **PRIORS)
        repeated = np.repeat(np.arange(40), weights[:, head])
        alone.update(
            Batch(
                batch.contexts[repeated],
                batch.features[repeated],
                tuple(batch.action_ids[i] for i in repeated),
                batch.rewards[repeated],
                np.ones(len(repeated), bool),
            )
        )
        np.testing.assert_array_equal(alone.model.own_weights(ABC), heads(policy)[head])


def test_probabilities_are_shares_of_the_votes() -> None:
    policy, rng = Bag(2, 2, n_heads=8, floor=0.0), np.random.default_rng(1)
    policy.update(rows(60))
    seen = set()
    for _ in range(30):
        x, candidates = np.append(1.0, rng.normal()), Candidates(ABC, rng.normal(size=(3, 2)))
        shares = 8 * policy.distribution(x, candidates, rng)
        assert shares.tolist() == np.round(shares).tolist()
        seen.update(shares.tolist())
    assert len(seen) > 3


def test_a_correction_is_as_if_the_reward_had_been_known() -> None:
    """For decisions in equal contexts too, of which each weighs differently."""
    batch = rows(30)
    same = Batch(np.ones((30, 2)), np.ones((30, 2)), ABC * 10, batch.rewards, batch.first)
    for known in (batch, same):
        one, other = Bag(2, 2, **PRIORS), Bag(2, 2, **PRIORS)
        late = Batch(
            known.contexts, known.features, known.action_ids, -known.rewards,
            np.zeros(30, bool), known.rewards,
        )  # fmt: skip
        one.update(known)
        one.update(late)
        other.update(
            Batch(known.contexts, known.features, known.action_ids, np.zeros(30), known.first)
        )
        assert abs(heads(other)).max() == 0.0
        np.testing.assert_allclose(heads(one), heads(other), atol=1e-12)


def test_the_correction_of_an_old_decision_counts_once_in_every_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("policy.bandits.bag.MEMORY", 5)
    policy = Bag(2, 2, **PRIORS)
    batch = rows(10)
    policy.update(batch)
    before = heads(policy)
    policy.update(
        Batch(batch.contexts[:1], batch.features[:1], batch.action_ids[:1], np.ones(1),
              np.zeros(1, bool), batch.rewards[:1])
    )  # fmt: skip
    changed = heads(policy) - before
    assert (np.abs(changed[:, ABC.index(batch.action_ids[0])]).max(axis=1) > 0.0).all()


def test_the_summary_counts_each_decision_once() -> None:
    policy = Bag(2, 2)
    batch = rows(60)
    policy.update(batch)
    arms = {arm.action_id: arm for arm in policy.summary()}
    for action_id in ABC:
        mine = np.array(batch.action_ids) == action_id
        assert arms[action_id].n == np.count_nonzero(mine)
        assert arms[action_id].mean_reward == pytest.approx(batch.rewards[mine].mean())
    assert sum(arm.p_best for arm in arms.values()) == pytest.approx(1.0)
    assert Bag(2, 2).summary() == []


def test_an_explanation_adds_up() -> None:
    policy, rng = Bag(2, 2), np.random.default_rng(4)
    policy.update(rows(60))
    x, candidates = np.append(1.0, rng.normal()), Candidates((*ABC, "new"), rng.normal(size=(4, 2)))
    found = policy.explain(x, candidates)
    total = found.context.sum(axis=1) + found.features.sum(axis=1) + found.rest
    np.testing.assert_allclose(total, policy.expected_rewards(x, candidates), atol=1e-12)


def test_a_state_of_another_number_of_heads_is_refused() -> None:
    policy = Bag(2, 2, n_heads=4)
    policy.update(rows(10))
    with pytest.raises(StateError, match="has 4 heads: this policy has 5"):
        Bag(2, 2, n_heads=5).load_state(*policy.state())


@pytest.mark.parametrize("n_heads", [0, 257, 2.0])
def test_impossible_numbers_of_heads_are_refused(n_heads: int) -> None:
    with pytest.raises(ParameterError, match="n_heads"):
        Bag(1, 0, n_heads=n_heads)

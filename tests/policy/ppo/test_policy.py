from __future__ import annotations

import numpy as np
import pytest

from policy.base import Batch, Candidates
from policy.errors import DecisionError, ParameterError
from policy.model_file import dump, load
from policy.ppo.network import untrained
from policy.ppo.policy import PPOPolicy

RNG = np.random.default_rng(0)
FEATURES, ACTIONS = ("x", "y"), ("a", "b", "c")


def policy(seed: int = 0, floor: float = 0.1) -> PPOPolicy:
    return PPOPolicy(untrained(FEATURES, ACTIONS, np.random.default_rng(seed)), 1, floor=floor)


def candidates(*ids: str) -> Candidates:
    return Candidates(ids, np.zeros((len(ids), 1)))


def test_the_distribution_is_the_networks_over_the_candidates_with_the_floor() -> None:
    x = np.array([0.5, -1.0])
    mask = np.array([True, False, True])
    expected = 0.9 * policy().network.probabilities(x, mask)[[2, 0]] + 0.05
    assert policy().distribution(x, candidates("c", "a"), RNG) == pytest.approx(expected, abs=1e-7)


def test_rewards_are_counted_and_change_nothing() -> None:
    ours, x = policy(), np.array([0.5, -1.0])
    before = ours.distribution(x, candidates(*ACTIONS), RNG)
    ours.update(Batch(np.ones((1, 2)), np.zeros((1, 1)), ("a",), np.ones(1), np.ones(1, np.bool_)))
    assert ours.n_updates == 1
    assert (ours.distribution(x, candidates(*ACTIONS), RNG) == before).all()
    assert (ours.expected_rewards(x, candidates(*ACTIONS)) == ours.network.value(x)).all()


def test_a_saved_state_resumes_to_the_bit() -> None:
    saved, other, x = load(dump(*policy(0).state())), policy(1), np.array([0.5, -1.0])
    other.load_state(*saved)
    pair = candidates("a", "b")
    assert (other.distribution(x, pair, RNG) == policy(0).distribution(x, pair, RNG)).all()


def test_other_features_and_another_catalog_are_refused_with_the_remedy() -> None:
    with pytest.raises(DecisionError, match=r"no action 'd'.*train one on this catalog"):
        policy().distribution(np.zeros(2), candidates("a", "d"), RNG)
    with pytest.raises(ParameterError, match="'z' where the model was trained on 'y'"):
        policy().require(("x", "z"), ACTIONS)
    with pytest.raises(ParameterError, match="3 where the model was trained on 2"):
        policy().require(("x", "y", "z"), ACTIONS)
    with pytest.raises(DecisionError, match=r"'B'.*did you mean 'b'"):
        policy().require(FEATURES, ("a", "B"))
    policy().require(FEATURES, ("c",))
    manifest, arrays = policy().state()
    with pytest.raises(ParameterError, match="saved action_ids"):
        policy().load_state({**manifest, "action_ids": ["q", "b", "c"]}, arrays)

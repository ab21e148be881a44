from __future__ import annotations

import numpy as np
import pytest

from policy.base import Batch, Candidates
from policy.errors import DecisionError, ParameterError, StateError
from policy.model_file import dump, load
from policy.ppo.forward import Forward
from policy.ppo.network import untrained
from policy.ppo.policy import PPOPolicy, check_parameters

RNG = np.random.default_rng(0)
FEATURES, ACTIONS = ("x", "y"), ("a", "b", "c")


def policy(seed: int = 0, floor: float = 0.1) -> PPOPolicy:
    network = untrained(FEATURES, ACTIONS, np.random.default_rng(seed))
    return PPOPolicy(network, n_shared=1, floor=floor)


def candidates(*ids: str) -> Candidates:
    return Candidates(ids, np.zeros((len(ids), 1)))


def test_the_distribution_is_the_networks_over_the_candidates_with_the_floor() -> None:
    x = np.array([0.5, -1.0])
    mask = np.array([True, False, True])
    expected = 0.9 * policy().network.probabilities(x, mask)[[2, 0]] + 0.05
    assert policy().distribution(x, candidates("c", "a"), RNG) == pytest.approx(expected, abs=1e-7)


def test_it_takes_its_features_out_of_the_context_by_name() -> None:
    wide = PPOPolicy(policy().network, ("intercept", "y", "z", "x"), 1, floor=0.1)
    x = np.array([1.0, -1.0, 7.0, 0.5])
    ours = policy().distribution(np.array([0.5, -1.0]), candidates(*ACTIONS), RNG)
    assert (wide.distribution(x, candidates(*ACTIONS), RNG) == ours).all()
    with pytest.raises(ParameterError, match=r"trained on the feature 'y'.*did you mean 'Y'"):
        PPOPolicy(policy().network, ("x", "Y"))


def test_actor_and_critic_in_one_pass_are_the_networks() -> None:
    for scale in (0.1, 3.0, 1e4):  # also beyond the clip
        rows = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32) * np.float32(scale)
        network = policy(3).network
        passed = [Forward(network)(row) for row in rows]
        together = np.stack([logits for logits, _ in passed])
        assert together == pytest.approx(network.logits(rows), abs=1e-5)
        values = np.array([value for _, value in passed])
        assert values == pytest.approx(network.value(rows), abs=1e-5)


def test_costs_divide_odds_by_e_for_each_temperature() -> None:
    warm, x = PPOPolicy(policy().network, n_shared=1, floor=0.0, temperature=2.0), np.zeros(2)
    free = warm.distribution(x, candidates(*ACTIONS), RNG)
    dear = Candidates(ACTIONS, np.zeros((3, 1)), np.array([0.0, 4.0, 0.0]))
    paid = warm.distribution(x, dear, RNG)
    assert paid[1] / paid[0] == pytest.approx(free[1] / free[0] * np.exp(-2.0))


def batch(*ids: str) -> Batch:
    n = len(ids)
    return Batch(np.ones((n, 2)), np.zeros((n, 1)), ids, np.ones(n), np.ones(n, np.bool_))


def test_rewards_are_counted_and_change_nothing() -> None:
    ours, x = policy(), np.array([0.5, -1.0])
    before = ours.distribution(x, candidates(*ACTIONS), RNG)
    # Also of an action that was in the catalog before the model came.
    ours.update(batch("a", "b", "retired"))
    assert (ours.learns, ours.n_updates) == (False, 3)
    assert (ours.distribution(x, candidates(*ACTIONS), RNG) == before).all()
    value = np.full(3, ours.network.value(x))
    assert ours.expected_rewards(x, candidates(*ACTIONS)) == pytest.approx(value, abs=1e-6)
    ours.remove(batch("b"))
    ours.merge(*ours.state())
    assert ours.n_updates == 4


def test_a_saved_state_resumes_to_the_bit() -> None:
    saved, x = load(dump(*policy().state())), np.array([0.5, -1.0])
    other = policy()
    other.load_state(*saved)
    pair = candidates("a", "b")
    assert (other.distribution(x, pair, RNG) == policy().distribution(x, pair, RNG)).all()


def test_a_state_of_another_model_is_refused() -> None:
    """So a new model file is never overruled by what was saved of the one before."""
    manifest, arrays = policy(1).state()
    with pytest.raises(StateError, match=r"saved state is of the model .*this policy serves"):
        policy(0).load_state(manifest, arrays)
    with pytest.raises(StateError, match="saved actions"):
        policy(1).load_state({**manifest, "actions": ["q", "b", "c"]}, arrays)
    with pytest.raises(StateError, match="no array 'mean'"):
        policy(1).load_state(manifest, {k: v for k, v in arrays.items() if k != "mean"})
    damaged = {**arrays, "mean": np.array([np.nan, 0.0], np.float32)}
    with pytest.raises(StateError, match="NaN"):
        policy(1).load_state(manifest, damaged)
    with pytest.raises(StateError, match="serves"):
        policy(1).load_state(manifest, {**arrays, "mean": arrays["mean"] + 1})


def test_another_catalog_is_refused_with_the_remedy() -> None:
    with pytest.raises(DecisionError, match=r"no action 'd'.*train one on this catalog"):
        policy().distribution(np.zeros(2), candidates("a", "d"), RNG)
    with pytest.raises(ParameterError, match=r"'B'.*did you mean 'b'"):
        policy().require(("a", "B"))
    policy().require(("c",))


def test_parameters_are_checked_by_name() -> None:
    check_parameters({"floor": 0.2, "temperature": 0.5})
    with pytest.raises(ParameterError, match="no parameter 'alpha'"):
        check_parameters({"alpha": 1.0})
    with pytest.raises(ParameterError, match="temperature is 0"):
        check_parameters({"temperature": 0})

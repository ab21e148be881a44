"""Prior precisions come out near those that made the data, and stay where they are given."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.evidence import PriorGroup, Priors
from policy.bandits.linear_model import HybridLinearModel, OwnPriors
from policy.errors import ParameterError

N_ACTIONS = 12


def learned(
    own_deviation: float, shared_deviation: float, noise: float, own: OwnPriors
) -> HybridLinearModel:
    """A model of 6,000 rows from a world with these standard deviations."""
    rng = np.random.default_rng(3)
    model = HybridLinearModel(6, 8, own=own)
    theta = rng.normal(size=(N_ACTIONS, 6)) * own_deviation
    beta = rng.normal(size=8) * shared_deviation
    for _ in range(6_000):
        action = int(rng.integers(N_ACTIONS))
        x, z = rng.normal(size=6), rng.normal(size=8)
        x[0] = 1.0
        reward = float(x @ theta[action] + z @ beta + noise * rng.normal())
        model.learn(model.blocks.slots_for([f"a{action}"])[0], x, z, reward)
    model.refit()
    return model


@pytest.mark.parametrize(("own", "shared", "noise"), [(0.5, 2.0, 1.0), (3.0, 0.3, 0.2)])
def test_they_come_out_as_the_ratio_of_noise_to_weights(
    own: float, shared: float, noise: float
) -> None:
    model = learned(own, shared, noise, OwnPriors())
    precision = model.own_priors.values[1]
    assert precision == pytest.approx((noise / own) ** 2, rel=0.5)
    assert model.shared_priors.values[0] == pytest.approx((noise / shared) ** 2, rel=0.9)
    assert model.noise_variance == pytest.approx(noise**2, rel=0.1)


def test_actions_that_do_not_differ_are_held_together() -> None:
    model = learned(0.0, 1.0, 1.0, OwnPriors())
    assert model.own_priors.values[1] > 300.0


def test_what_is_given_stays() -> None:
    model = learned(0.0, 1.0, 1.0, OwnPriors(intercept=2.0, linear=0.5))
    assert model.own_priors.values[:2].tolist() == [2.0, 0.5]


def test_little_data_leaves_the_estimate_near_its_start() -> None:
    priors = Priors((PriorGroup("prior", 3, initial=0.25),))
    priors.estimate(np.full((1, 3), 0.1), np.full((1, 3), 3.9), 1.0, 2)
    assert 0.2 < priors.values[0] < 0.3


def test_an_estimate_finds_back_when_data_speak() -> None:
    """Nothing in the first rows, everything later."""
    model, rng = HybridLinearModel(3, 0), np.random.default_rng(0)
    (slot,) = model.blocks.slots_for(["a"])
    for row in range(4_096):
        x = rng.normal(size=3)
        weights = np.zeros(3) if row < 1_024 else np.array([1.0, -2.0, 3.0])
        model.learn(slot, x, np.zeros(0), float(x @ weights + rng.normal()))
    assert model.own_priors.values[:2].max() < 10.0


def test_an_impossible_precision_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="prior_action is 0"):
        PriorGroup("prior_action", 3, 0.0)

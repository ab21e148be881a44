"""Softmax: odds are exponential in the lead, measured in the noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.bandits.softmax import Softmax, boltzmann
from policy.base import Batch, Candidates
from policy.errors import ParameterError

ABC = Candidates(("a", "b", "c"), np.ones((3, 0)))


def taught(unit: float, n: int = 60, **parameters: float) -> Softmax:
    rng = np.random.default_rng(0)
    policy = Softmax(2, 0, floor=0.0, **parameters)
    contexts = np.column_stack([np.ones(n), rng.normal(size=n)])
    ids = tuple("abc"[i] for i in rng.integers(3, size=n))
    rewards = unit * (contexts[:, 1] * (np.array(ids) == "a") + rng.normal(size=n))
    policy.update(Batch(contexts, np.ones((n, 0)), ids, rewards, np.ones(n, bool)))
    return policy


def test_odds_follow_the_lead_in_standard_deviations_of_the_noise() -> None:
    policy, x = taught(1.0, temperature=0.7), np.array([1.0, 2.0])
    probabilities, means = policy.decide(x, ABC, np.random.default_rng(0))
    sigma = np.sqrt(policy.model.noise_variance)
    assert 0.7 < sigma < 1.3  # the rewards were made with noise 1
    lead = (means[0] - means[1]) / sigma
    assert np.log(probabilities[0] / probabilities[1]) == pytest.approx(lead / 0.7)


@pytest.mark.parametrize("unit", [1e-3, 100.0])
def test_the_unit_of_rewards_does_not_matter(unit: float) -> None:
    x = np.array([1.0, 0.5])
    one, other = (taught(u).distribution(x, ABC, np.random.default_rng(0)) for u in (1.0, unit))
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_at_temperature_zero_it_is_greedy() -> None:
    probabilities, means = taught(1.0, temperature=0.0).decide(
        np.ones(2), ABC, np.random.default_rng(0)
    )
    assert probabilities[means.argmax()] == 1.0


@given(
    scores=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=9),
    unit=st.floats(0.0, 1e9),
)
def test_any_scores_make_a_distribution_in_their_order(scores: list[float], unit: float) -> None:
    array = np.array(scores)
    probabilities = boltzmann(array, unit)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(probabilities[np.argsort(array)]) >= -1e-12).all()


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf")])
def test_impossible_temperatures_are_refused(temperature: float) -> None:
    with pytest.raises(ParameterError, match="temperature"):
        Softmax(1, 0, temperature=temperature)

"""SquareCB's inverse gap weighting."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.squarecb import SquareCB
from policy.base import Batch, Candidates
from policy.errors import ParameterError


def test_probabilities_follow_the_formula() -> None:
    policy = SquareCB(1, 0, gamma_scale=10.0, exponent=0.5, floor=0.0)
    rewards = np.array([0.2, 1.0, 0.6, 0.6])
    ids = ("a", "b", "c", "d")
    policy.update(Batch(np.ones((4, 1)), np.ones((4, 0)), ids, rewards, np.ones(4, bool)))
    probabilities = policy.distribution(
        np.ones(1), Candidates(ids, np.ones((4, 0))), np.random.default_rng(0)
    )
    # One row against a prior of precision 1 halves each reward; gamma = 10 · 4^0.5.
    others = 1.0 / (4 + 20.0 * np.array([0.4, 0.2, 0.2]))
    expected = [others[0], 1.0 - others.sum(), others[1], others[2]]
    np.testing.assert_allclose(probabilities, expected, rtol=1e-12)


def test_exploration_fades_with_experience() -> None:
    policy, ids = SquareCB(1, 0, floor=0.0), ("a", "b")
    pair, rng = Candidates(ids, np.ones((2, 0))), np.random.default_rng(0)
    leads = []
    for _ in range(4):
        leads.append(float(policy.distribution(np.ones(1), pair, rng)[0]))
        for _ in range(25):
            rewards, first = np.array([1.0, 0.0]), np.ones(2, bool)
            policy.update(Batch(np.ones((2, 1)), np.ones((2, 0)), ids, rewards, first))
    assert leads == sorted(leads)
    assert leads[0] == 0.5
    assert leads[-1] > 0.99


@pytest.mark.parametrize("parameters", [{"gamma_scale": -1.0}, {"exponent": 1.5}])
def test_impossible_parameters_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        SquareCB(1, 0, **parameters)

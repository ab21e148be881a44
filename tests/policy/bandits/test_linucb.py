"""LinUCB's bound against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from policy.bandits.linucb import LinUCB
from policy.base import Batch, Candidates


def taught(counts: dict[str, int], reward: float, alpha: float) -> LinUCB:
    policy = LinUCB(1, 0, alpha=alpha, floor=0.0)
    ids = tuple(action_id for action_id, n in counts.items() for _ in range(n))
    n = len(ids)
    rewards = np.full(n, reward)
    policy.update(Batch(np.ones((n, 1)), np.ones((n, 0)), ids, rewards, np.ones(n, bool)))
    return policy


@pytest.mark.parametrize(("alpha", "best"), [(0.0, "often"), (2.36, "often"), (2.38, "rare")])
def test_uncertainty_wins_from_the_width_at_which_it_should(alpha: float, best: str) -> None:
    """The bounds cross at alpha = 2.368.

    Means are 9/10 and 2/3, variances σ²/10 and σ²/3 with σ² = (9/10 + 2/3) / 11.
    """
    policy = taught({"often": 9, "rare": 2}, 1.0, alpha)
    pair = Candidates(("often", "rare"), np.ones((2, 0)))
    probabilities = policy.distribution(np.ones(1), pair, np.random.default_rng(0))
    assert probabilities.tolist() == [float(action_id == best) for action_id in pair.ids]


def test_before_anything_is_known_all_are_alike() -> None:
    candidates = Candidates(("a", "b", "c", "d"), np.ones((4, 2)))
    policy = LinUCB(3, 2)
    probabilities = policy.distribution(np.ones(3), candidates, np.random.default_rng(0))
    np.testing.assert_allclose(probabilities, 0.25, rtol=1e-14)

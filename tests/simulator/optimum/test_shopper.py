from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import WorldError
from simulator.optimum.mdp import (
    always,
    best_constant,
    evaluate,
    expected_return,
    myopic,
    solve,
)
from simulator.optimum.shopper import (
    REFERENCES,
    Carryover,
    discrete_shopper,
    observations,
    states,
)
from simulator.optimum.vector_env import FiniteVectorEnv

MDP = discrete_shopper()
BEST, VALUES = solve(MDP)
OPTIMUM = float(MDP.start @ VALUES)


def test_there_is_something_to_gain_by_looking_ahead() -> None:
    """The guards: a world where a constant or a myopic policy comes near proves nothing."""
    assert expected_return(MDP, best_constant(MDP)) < 0.9 * OPTIMUM
    assert expected_return(MDP, myopic(MDP)) < 0.9 * OPTIMUM


def test_without_carry_over_there_is_nothing_to_gain() -> None:
    control = discrete_shopper(Carryover().off())
    _, values = solve(control)
    assert expected_return(control, myopic(control)) == pytest.approx(control.start @ values)


@pytest.mark.parametrize(
    "mechanism",
    [
        {"reference_step": 0.0},
        {"leave_fatigue": 0.0, "fatigue_weight": 0.0},
        {"leave_silence": 0.0},
    ],
)
def test_each_carry_over_matters(mechanism: dict[str, float]) -> None:
    """Ablation: the best policy of the world without it loses in the world with it."""
    without, _ = solve(discrete_shopper(Carryover(**mechanism)))
    assert expected_return(MDP, always(MDP, without)) < 0.999 * OPTIMUM


def test_rounding_at_random_keeps_the_mean() -> None:
    reference = states()[:, 1]
    looked = np.abs(reference - 0.9) < 1e-9
    expected = (MDP.probabilities[:, 2] * states()[MDP.next_states[:, 2], 1]).sum(1)
    mass = MDP.probabilities[:, 2].sum(1)
    visited = MDP.probabilities[:, 2, :8].sum(1)
    step = 0.35 * visited / mass
    assert (expected / mass)[looked] == pytest.approx(
        (reference + step * (0.9 - reference))[looked]
    )
    assert REFERENCES[0] == 0.7


def test_walking_earns_what_evaluation_says() -> None:
    envs = FiniteVectorEnv(4_000, MDP, observations())
    envs.reset(seed=1)
    policy = myopic(MDP).argmax(1)
    total, weight = np.zeros(4_000), np.ones(4_000)
    for _ in range(300):
        assert envs._states is not None
        _, rewards, terminated, _, _ = envs.step(policy[envs._states])
        total += weight * rewards
        weight *= 0.99 * ~terminated
    values = evaluate(MDP, myopic(MDP))
    assert total.mean() == pytest.approx(MDP.start @ values, rel=0.04)


def test_a_carry_over_that_cannot_be_is_refused() -> None:
    with pytest.raises(WorldError, match=r"reference_step is 2.0: must be from 0 to 1"):
        Carryover(reference_step=2.0)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import WorldError
from simulator.optimum.mdp import (
    FiniteMDP,
    always,
    best_constant,
    evaluate,
    expected_return,
    myopic,
    solve,
)


def random_mdp(seed: int, n_states: int = 8, n_actions: int = 3) -> FiniteMDP:
    rng = np.random.default_rng(seed)
    shape = (n_states, n_actions, 4)
    probabilities = rng.dirichlet(np.ones(5), shape[:2])[..., :4]
    return FiniteMDP(
        rng.integers(0, n_states, shape), probabilities, rng.normal(size=shape[:2]),
        rng.dirichlet(np.ones(n_states)), 0.9,
    )  # fmt: skip


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_evaluation_solves_the_linear_system(seed: int) -> None:
    mdp = random_mdp(seed)
    policy = np.random.default_rng(seed).dirichlet(np.ones(3), 8)
    dense = mdp.matrix().toarray().reshape(8, 3, 8)
    moves = np.einsum("sa,sat->st", policy, dense)
    exact = np.linalg.solve(np.eye(8) - 0.9 * moves, (policy * mdp.rewards).sum(1))
    assert evaluate(mdp, policy) == pytest.approx(exact, abs=1e-7)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_nothing_beats_the_optimum_and_it_is_reached(seed: int) -> None:
    mdp = random_mdp(seed)
    best, values = solve(mdp)
    assert evaluate(mdp, always(mdp, best)) == pytest.approx(values, abs=1e-7)
    rivals = [
        always(mdp, actions) for actions in np.random.default_rng(seed).integers(0, 3, (20, 8))
    ]
    for rival in [*rivals, myopic(mdp), best_constant(mdp)]:
        assert (evaluate(mdp, rival) <= values + 1e-7).all()


def test_without_a_future_the_myopic_policy_is_the_optimum() -> None:
    mdp = random_mdp(3)
    today = FiniteMDP(mdp.next_states, mdp.probabilities, mdp.rewards, mdp.start, 0.0)
    assert (always(today, solve(today)[0]) == myopic(today)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": 1.0}, "gamma is 1.0"),
        ({"probabilities": np.full((8, 3, 4), 0.3)}, "probabilities is"),
        ({"rewards": np.full((8, 3), np.nan)}, "rewards is"),
        ({"start": np.zeros(8)}, "start is"),
        ({"next_states": np.full((8, 3, 4), 8)}, "next_states is 8: must be below 8"),
    ],
)
def test_what_is_no_process_is_refused(change: dict, message: str) -> None:
    mdp = random_mdp(0)
    fields = {name: getattr(mdp, name) for name in FiniteMDP.__slots__}
    with pytest.raises(WorldError, match=message):
        FiniteMDP(**{**fields, **change})


def test_a_policy_that_is_no_distribution_is_refused() -> None:
    with pytest.raises(WorldError, match="policy"):
        expected_return(random_mdp(0), np.zeros((8, 3)))

"""Estimators of several steps find what a policy earns in a small decision process."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError
from policy.ope.estimators.steps.marginalised import Marginalised
from policy.ope.estimators.steps.per_decision import PerDecision
from policy.ope.estimators.steps.trajectories import Trajectories, trajectories_of
from policy.ope.intervals.normal import normal
from policy.ope.log import Decisions
from policy.ope.sample import sample_of
from policy.ope.tally import Tally

N_STATES, N_STEPS, DISCOUNT = 3, 6, 0.9
MOVES = np.random.default_rng(0).dirichlet(np.ones(N_STATES + 1), (N_STATES, 2))
"""P(next state | state, action); the last one is gone."""
EARNS = np.array([[0.1, 0.5], [0.7, 0.2], [0.3, 0.9]])
LOGGING, TARGET = np.array([0.6, 0.4, 0.5]), np.array([0.2, 0.7, 0.9])
"""P(action 1 | state)."""


def truth(wanted: np.ndarray = TARGET) -> float:
    """By dynamic programming, from state 0."""
    values = np.zeros(N_STATES + 1)
    shares = np.column_stack((1.0 - wanted, wanted))
    for _ in range(N_STEPS):
        ahead = EARNS + DISCOUNT * (MOVES @ values)
        values = np.append((shares * ahead).sum(axis=1), 0.0)
    return float(values[0])


def drawn(n: int, seed: int) -> tuple[Decisions, np.ndarray, np.ndarray]:
    """The log of n visitors, the target on its rows, and their states."""
    rng = np.random.default_rng(seed)
    state = np.zeros(n, int)
    rows: list[tuple[np.ndarray, ...]] = []
    for _ in range(N_STEPS):
        here = np.flatnonzero(state < N_STATES)
        action = (rng.random(len(here)) < LOGGING[state[here]]).astype(int)
        reward = (rng.random(len(here)) < EARNS[state[here], action]).astype(float)
        rows.append((here, state[here], action, reward))
        cumulative = MOVES[state[here], action].cumsum(axis=1)
        state[here] = (cumulative < rng.random((len(here), 1))).sum(axis=1).clip(0, N_STATES)
    who, where, action, reward = (np.concatenate(column) for column in zip(*rows, strict=True))
    chance = np.where(action, LOGGING[where], 1.0 - LOGGING[where])
    log = Decisions(("stay", "go"), action, reward, chance, cluster=who)
    return log, np.column_stack((1.0 - TARGET[where], TARGET[where])), where


def sequences(n: int, seed: int) -> Trajectories:
    log, target, state = drawn(n, seed)
    return trajectories_of(sample_of(log, target), N_STEPS, state)


ALL = (
    PerDecision(N_STEPS, DISCOUNT),
    PerDecision(N_STEPS, DISCOUNT, normalised=False),
    Marginalised(N_STATES, DISCOUNT),
)


@pytest.mark.parametrize("estimator", ALL, ids=lambda one: one.name)
def test_intervals_hold_the_truth_as_often_as_they_say(estimator: PerDecision) -> None:
    held = 0
    for seed in range(200):
        columns = estimator.columns(sequences(400, seed))
        tally = Tally.of(columns, np.arange(len(columns)) % 512, 512)
        held += normal(estimator, tally).holds(truth())
    assert 0.90 * 200 <= held <= 199


def test_weights_of_states_err_less_than_weights_of_histories() -> None:
    errors = {one.name: 0.0 for one in ALL}
    for seed in range(40):
        made = sequences(300, seed)
        for one in ALL:
            errors[one.name] += (one.value(one.columns(made).mean(axis=0)) - truth()) ** 2
    assert errors["marginalised"] < 0.8 * errors["per_decision_sn"]


def test_the_logging_policy_earns_what_its_visitors_did() -> None:
    log, _, state = drawn(300, 1)
    shares = LOGGING[state]
    sample = sample_of(log, np.column_stack((1.0 - shares, shares)))
    made = trajectories_of(sample, N_STEPS, state)
    earned = (made.reward * DISCOUNT ** np.arange(N_STEPS)).sum(axis=1).mean()
    for one in ALL:
        assert one.value(one.columns(made).mean(axis=0)) == pytest.approx(earned)


def test_one_step_is_importance_sampling() -> None:
    log, target, state = drawn(300, 2)
    sample = sample_of(log, target)
    made = trajectories_of(sample, 1, state)
    first = np.unique(log.cluster, return_index=True)[1]
    weight, reward = sample.weight[first], log.reward[first]
    ips, snips = (weight * reward).mean(), (weight * reward).sum() / weight.sum()
    assert PerDecision(1, normalised=False).columns(made).mean() == pytest.approx(ips)
    # All begin in one state, where weights are normalised.
    assert Marginalised(N_STATES).columns(made).mean() == pytest.approx(snips)


def test_what_is_missing_is_named() -> None:
    log, target, state = drawn(20, 3)
    sample = sample_of(log, target)
    with pytest.raises(EvaluationError, match="the log has none"):
        Marginalised(3).columns(trajectories_of(sample, 2))
    with pytest.raises(EvaluationError, match="numbers from 0 to 1"):
        Marginalised(2).columns(trajectories_of(sample, N_STEPS, state + 1))
    with pytest.raises(EvaluationError, match="6 slots or steps: must be 4"):
        PerDecision(4).columns(trajectories_of(sample, N_STEPS))
    alone = Decisions(("a",), np.zeros(1, int), np.ones(1), np.ones(1))
    with pytest.raises(EvaluationError, match="no clusters"):
        trajectories_of(sample_of(alone, np.ones((1, 1))), 1)

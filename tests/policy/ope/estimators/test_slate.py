"""Estimators of lists find the truth where what they assume holds, and miss it elsewhere."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import EvaluationError
from policy.ope.estimators.slate.independent import IndependentIPS
from policy.ope.estimators.slate.pseudo_inverse import PseudoInverse
from policy.ope.estimators.slate.reward_interaction import RewardInteractionIPS
from policy.ope.estimators.slate.sample import SlateSample, of_conditionals, of_lists
from policy.ope.estimators.slate.slate_ips import SlateIPS
from policy.ope.intervals.normal import normal
from policy.ope.tally import Tally

if TYPE_CHECKING:
    from policy.ope.estimators.slate.base import SlateEstimator

N_ACTIONS, N_SLOTS = 4, 3
LISTS = np.array(list(permutations(range(N_ACTIONS), N_SLOTS)))
EARNS = np.array([0.1, 0.2, 0.4, 0.6])


def drawn(
    n: int, seed: int, rewards: np.ndarray, likes: tuple[int, ...] | None = None
) -> tuple[SlateSample, float]:
    """Lists out of any distribution, and what the target earns; rewards (n_lists, n_slots)."""
    rng = np.random.default_rng(seed)
    logging, target = rng.dirichlet(np.full(len(LISTS), 0.3), 2)
    logging = 0.5 * logging + 0.5 / len(LISTS)
    if likes is not None:
        target = 0.9 * (likes == LISTS).all(axis=1) + 0.1 / len(LISTS)
    shown = rng.choice(len(LISTS), n, p=logging)
    reward = (rng.random((n, N_SLOTS)) < rewards[shown]).astype(float)
    tables = (np.tile(logging, (n, 1)), np.tile(target, (n, 1)))
    return of_lists(reward, shown, LISTS, *tables, N_ACTIONS), float(target @ rewards.sum(axis=1))


def distance(estimator: SlateEstimator, sample: SlateSample, truth: float) -> float:
    """In standard errors."""
    columns = estimator.columns(sample)
    tally = Tally.of(columns, np.arange(len(columns)) % 512, 512)
    error = tally.standard_error(estimator.gradient(tally.means))
    return abs(estimator.value(tally.means) - truth) / error


def alone() -> np.ndarray:
    """A slot earns by its own action, whatever is around it."""
    return EARNS[LISTS]


def from_the_top() -> np.ndarray:
    """A slot earns only under an action of a lower number."""
    above = np.hstack((np.full((len(LISTS), 1), -1), LISTS[:, :-1]))
    return 0.9 * (above < LISTS)


def from_below() -> np.ndarray:
    """A slot earns only above an action of a lower number."""
    below = np.hstack((LISTS[:, 1:], np.full((len(LISTS), 1), -1)))
    return 0.9 * (below < LISTS)


ALL = (
    SlateIPS(),
    RewardInteractionIPS(N_SLOTS),
    RewardInteractionIPS(N_SLOTS, normalised=True),
    IndependentIPS(N_SLOTS),
    IndependentIPS(N_SLOTS, normalised=True),
    PseudoInverse(),
)


@pytest.mark.parametrize("estimator", ALL, ids=lambda one: one.name)
def test_all_are_right_where_slots_are_alone(estimator: SlateEstimator) -> None:
    sample, truth = drawn(20_000, 1, alone())
    assert distance(estimator, sample, truth) < 4.0


@pytest.mark.parametrize("estimator", ALL[:3], ids=lambda one: one.name)
def test_who_reads_from_the_top_is_allowed_for_by_prefixes(estimator: SlateEstimator) -> None:
    sample, truth = drawn(20_000, 2, from_the_top(), likes=(3, 2, 1))
    assert distance(estimator, sample, truth) < 4.0
    assert distance(IndependentIPS(N_SLOTS), sample, truth) > 8.0


def test_what_is_below_only_whole_lists_allow_for() -> None:
    sample, truth = drawn(20_000, 3, from_below(), likes=(1, 2, 3))
    assert distance(SlateIPS(), sample, truth) < 4.0
    assert distance(RewardInteractionIPS(N_SLOTS), sample, truth) > 5.0


def test_the_pseudo_inverse_needs_no_more_than_the_sum() -> None:
    sample, truth = drawn(20_000, 4, alone())
    whole = np.zeros_like(sample.reward)
    whole[:, 0] = sample.reward.sum(axis=1)
    sample = SlateSample(whole, sample.prefix, sample.own, sample.pseudo)
    assert distance(PseudoInverse(), sample, truth) < 4.0
    spread = [PseudoInverse().columns(sample).std(), SlateIPS().columns(sample).std()]
    assert spread[0] < 0.9 * spread[1]


@given(st.integers(0, 2**32))
def test_the_logging_policy_earns_the_mean_reward(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logging = np.tile(rng.dirichlet(np.ones(len(LISTS))), (20, 1))
    shown = rng.integers(0, len(LISTS), 20)
    reward = rng.random((20, N_SLOTS))
    sample = of_lists(reward, shown, LISTS, logging, logging, N_ACTIONS)
    for estimator in ALL:
        means = estimator.columns(sample).mean(axis=0)
        assert estimator.value(means) == pytest.approx(reward.sum(axis=1).mean(), rel=1e-6)


def test_gradients_are_the_derivatives_of_values() -> None:
    estimator = IndependentIPS(2, normalised=True)
    means = np.array([0.5, 0.7, 1.1, 0.9])
    for column in range(4):
        step = np.eye(4)[column] * 1e-6
        slope = (estimator.value(means + step) - estimator.value(means - step)) / 2e-6
        assert estimator.gradient(means)[column] == pytest.approx(slope, rel=1e-6)


def test_intervals_take_them_as_any_other() -> None:
    sample, truth = drawn(5_000, 5, alone())
    estimator = RewardInteractionIPS(N_SLOTS, normalised=True)
    tally = Tally.of(estimator.columns(sample), np.arange(5_000) % 512, 512)
    assert normal(estimator, tally, 0.999).holds(truth)


def test_what_is_missing_or_impossible_is_named() -> None:
    half = np.full((1, 2), 0.5)
    sample = of_conditionals(np.ones((1, 2)), half, half)
    with pytest.raises(EvaluationError, match="only conditional ones"):
        IndependentIPS(2).columns(sample)
    with pytest.raises(EvaluationError, match="make the sample by of_lists"):
        PseudoInverse().columns(sample)
    with pytest.raises(EvaluationError, match="2 slots or steps: must be 3"):
        RewardInteractionIPS(3).columns(sample)
    with pytest.raises(EvaluationError, match=r"list 0 has probability 0.0 in slot 1"):
        of_conditionals(np.ones((1, 2)), np.array([[0.5, 0.0]]), half)
    with pytest.raises(EvaluationError, match="sum to 1"):
        of_lists(np.ones((1, 2)), np.zeros(1, int), np.array([[0, 1]]), half[:, :1], half[:, :1], 2)

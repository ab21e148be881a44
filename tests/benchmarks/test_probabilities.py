"""The check of logged probabilities finds what is wrong, and nothing in what we have."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.probabilities import N_ACTIONS, Row, count_outside, least_p_of, measure
from policy.bandits.build import POLICY_KINDS
from policy.bandits.linucb import LinUCB


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_every_kind_is_right(kind: str) -> None:
    row = measure(kind, n_states=250, n_draws=2_000)
    assert row.is_right, row


@pytest.mark.parametrize("wrong", [np.nan, 1e-4, -0.1])
def test_what_is_neither_nothing_nor_the_floor_is_counted(wrong: float) -> None:
    probabilities = np.zeros(N_ACTIONS)
    probabilities[:3] = 0.5, 0.5, wrong
    assert count_outside(probabilities) == 1


def test_biased_draws_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.probabilities.draw", lambda probabilities, u: 0)
    assert least_p_of(LinUCB(6, 3), np.random.default_rng(0), 1_000) == 0.0


def test_a_sum_beside_one_is_wrong() -> None:
    assert Row("linucb", 1, worst_sum=1e-10).is_right
    assert not Row("linucb", 1, worst_sum=1e-8).is_right

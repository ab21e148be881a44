"""A search chooses on some rows and is judged on others, and claims no more than those show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.errors import EvaluationError
from policy.ope.search import search
from policy.ope.slices import rows_of
from tests.policy.ope.logs import world

if TYPE_CHECKING:
    from policy.base import Policy
    from policy.ope.log import Decisions
    from policy.ope.search import Learner

TEMPERATURES = (0.02, 0.3, 100.0)


def learners() -> dict[str, Learner]:
    def made(temperature: float) -> Learner:
        def make(log: Decisions) -> Policy:
            return make_policy("softmax", log.context.shape[1], 0, temperature=temperature)

        return make

    return {f"t={temperature}": made(temperature) for temperature in TEMPERATURES}


def with_rewards(log: Decisions, start: int, stop: int) -> Decisions:
    """The log with other rewards from one row up to and without another."""
    reward = log.reward.copy()
    reward[start:stop] = 1.0 - reward[start:stop]
    return replace(log, reward=reward)


def test_the_rows_that_judge_have_no_part_in_the_choice() -> None:
    log = world(1_200, seed=1).log
    found = search(lambda: [log], learners())
    other = search(lambda: [with_rewards(log, 900, 1_200)], learners())
    assert found.n_rows == (600, 300, 300)
    assert [one.best for one in found.tried] == [one.best for one in other.tried]
    assert found.winner == other.winner
    assert found.judged.best != other.judged.best


def test_the_rows_that_teach_have_no_part_in_judging_the_choice() -> None:
    log = world(1_200, seed=1).log
    other = search(lambda: [with_rewards(log, 0, 600)], learners())
    assert other.winner == "t=100.0"  # who learns least is misled least


def test_what_is_clearly_better_is_found_and_chunks_do_not_matter() -> None:
    log = world(2_400, seed=2).log
    found = search(lambda: [log], learners())
    assert found.winner == "t=0.02"
    assert found.is_better
    assert {one.baseline.partition(":")[0] for one in found.comparisons} == {"logged", "always"}
    chunks = [rows_of(log, start, start + 999) for start in range(0, 2_400, 999)]
    assert search(lambda: chunks, learners()).winner == found.winner


def test_of_noise_next_to_nothing_is_clearly_better() -> None:
    """At most one search in twenty may be wrong, of both comparisons together."""
    n_wrong = 0
    for seed in range(1_000, 1_010):
        log = world(1_000, seed=seed).log
        reward = (np.random.default_rng(seed).random(1_000) < 0.3).astype(float)
        n_wrong += search(lambda log=log, r=reward: [replace(log, reward=r)], learners()).is_better
    assert n_wrong <= 1


def test_a_log_that_cannot_tell_is_refused() -> None:
    log = world(40, seed=1).log
    with pytest.raises(EvaluationError, match="can tell of none of the 3 candidates"):
        search(lambda: [log], learners())
    with pytest.raises(EvaluationError, match="at least 8"):
        search(lambda: [rows_of(log, 0, 5)], learners())
    with pytest.raises(EvaluationError, match="nothing to search"):
        search(lambda: [log], {})

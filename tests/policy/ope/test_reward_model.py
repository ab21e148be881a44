"""The reward model merges, is fitted on other rows, and helps."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from policy.errors import EvaluationError
from policy.ope.log import Decisions
from policy.ope.reward_model import NormalEquations, RewardModel, folds
from tests.policy.ope.logs import rows_of, world


def test_chunks_merge_to_the_whole() -> None:
    log = world(300, 1).log
    parts = [NormalEquations.of(rows_of(log, i, i + 100)) for i in (0, 100, 200)]
    merged = reduce(NormalEquations.merged, parts)
    assert merged.gram == pytest.approx(NormalEquations.of(log).gram)
    assert merged.moment == pytest.approx(NormalEquations.of(log).moment)
    with pytest.raises(EvaluationError, match="cannot be merged"):
        merged.merged(NormalEquations.of(log, 3))


def test_a_row_is_predicted_from_other_folds_only() -> None:
    """Changing a row's reward changes no prediction of its own fold."""
    log = world(300, 2).log
    reward = log.reward.copy()
    reward[7] += 100.0
    changed = Decisions(log.actions, log.action, reward, log.propensity, log.context)
    before = RewardModel.fitted(NormalEquations.of(log)).expected(log)
    after = RewardModel.fitted(NormalEquations.of(changed)).expected(log)
    own = folds(log) == folds(log)[7]
    assert (before[own] == after[own]).all()
    assert not np.isclose(before[~own], after[~own]).all()


def test_visitors_stay_in_one_fold() -> None:
    visitors = np.arange(1000) // 10
    log = Decisions(
        ("a",), np.zeros(1000, np.int64), np.ones(1000), np.ones(1000), cluster=visitors
    )
    fold = folds(log)
    assert all(len(set(fold[visitors == visitor])) == 1 for visitor in range(100))
    assert set(fold) == set(range(5))


def test_the_model_explains_what_the_mean_does_not() -> None:
    made = world(20_000, 3)
    expected = RewardModel.fitted(NormalEquations.of(made.log)).expected(made.log)
    assert ((expected - made.means) ** 2).mean() < 0.2 * made.means.var()


def test_an_action_never_shown_is_expected_to_earn_what_all_do() -> None:
    log = Decisions(("a", "b"), np.zeros(50, np.int64), np.ones(50), np.ones(50))
    expected = RewardModel.fitted(NormalEquations.of(log)).expected(log)
    assert expected[:, 1] == pytest.approx(1.0, abs=0.01)


def test_another_context_is_refused() -> None:
    model = RewardModel.fitted(NormalEquations.of(world(50, 1).log))
    with pytest.raises(EvaluationError, match="context has 0 columns"):
        model.expected(Decisions(("a",), np.array([0]), np.ones(1), np.ones(1)))

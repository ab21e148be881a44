"""Terms that contradict themselves are refused."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError, LogError
from policy.promotion.terms import Metric, Terms
from tests.policy.promotion.trials import SALE


def test_a_metric_is_a_share_of_its_range_and_1_is_best() -> None:
    values = np.array([-1.0, 0.0, 3.0])
    assert Metric("margin", -1.0, 3.0).shares(values).tolist() == [0.0, 0.25, 1.0]
    costs = Metric("cost", -1.0, 3.0, higher_is_better=False)
    assert costs.shares(values).tolist() == [1.0, 0.75, 0.0]


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_value_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(LogError, match="must be within"):
        SALE.shares(np.array([value]))


def test_terms_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(EvaluationError, match="lower one first"):
        Metric("sale", 1.0, 1.0)
    with pytest.raises(EvaluationError, match="tolerance of sale is -1"):
        Metric("sale", 0.0, 1.0, tolerance=-1.0)
    with pytest.raises(EvaluationError, match=r"largest_weight is 0\.5"):
        Terms(SALE, 0.5)
    with pytest.raises(EvaluationError, match=r"margin is 1\.0"):
        Terms(SALE, 2.0, margin=1.0)
    with pytest.raises(EvaluationError, match="names must differ"):
        Terms(SALE, 2.0, guardrails=(SALE, SALE))
    with pytest.raises(EvaluationError, match="negate it"):
        Terms(Metric("cost", 0.0, 1.0, higher_is_better=False), 2.0)
    with pytest.raises(EvaluationError, match="level"):
        Terms(SALE, 2.0, alpha=1.0)

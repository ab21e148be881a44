"""A guardrail is hurt or safe only where its interval leaves no doubt."""

from __future__ import annotations

import numpy as np
import pytest

from policy.errors import EvaluationError
from policy.lift.guardrail import Guardrail, Standing, standings
from policy.lift.outcomes import Outcomes

RETURNS = Guardrail("returns", 0.02, higher_is_better=False)
MARGIN = Guardrail("margin", 0.02, higher_is_better=True)


def shares(treated: float, control: float, n: int = 20_000) -> tuple[Outcomes, Outcomes]:
    """Both groups, with exactly these shares of ones."""
    first, second = (
        Outcomes.of((np.arange(n) < share * n).astype(float)) for share in (treated, control)
    )
    return first, second


@pytest.mark.parametrize(
    ("treated", "returns", "margin"),
    [
        (0.20, Standing.HURT, Standing.SAFE),
        (0.12, Standing.OPEN, Standing.SAFE),
        (0.10, Standing.SAFE, Standing.SAFE),
        (0.08, Standing.SAFE, Standing.OPEN),
        (0.01, Standing.SAFE, Standing.HURT),
    ],
)
def test_either_direction(treated: float, returns: Standing, margin: Standing) -> None:
    first, second = shares(treated, 0.10)
    groups = ({"returns": one, "margin": one} for one in (first, second))
    assert standings((RETURNS, MARGIN), *groups) == {"returns": returns, "margin": margin}


def test_few_visitors_leave_it_open() -> None:
    first, second = shares(0.9, 0.1, n=50)
    assert standings((RETURNS,), {"returns": first}, {"returns": second}) == {
        "returns": Standing.OPEN
    }


def test_what_was_not_measured_is_no_clean_bill() -> None:
    with pytest.raises(EvaluationError, match=r"\['returns'\] were not measured"):
        standings((RETURNS,), {}, {})
    with pytest.raises(EvaluationError, match="names must differ"):
        standings((RETURNS, RETURNS), {}, {})
    with pytest.raises(EvaluationError, match="tolerance of returns is -1"):
        Guardrail("returns", -1.0, higher_is_better=False)

from __future__ import annotations

import numpy as np
import pytest

from policy.catalog.pacing.redemption import Redemption
from policy.errors import StateError


def test_shares_come_near_what_is_redeemed_and_new_actions_begin_at_everybodys() -> None:
    redemption, rng = Redemption(), np.random.default_rng(1)
    for _ in range(3_000):
        redemption.ended("often", 100, 100 * int(rng.random() < 0.5))
        redemption.ended("seldom", 100, 100 * int(rng.random() < 0.1))
    assert redemption.share("often", 100) == pytest.approx(0.5, abs=0.08)
    assert redemption.share("seldom", 100) == pytest.approx(0.1, abs=0.08)
    assert redemption.share("new", 100) == pytest.approx(0.3, abs=0.08)


def test_money_that_comes_late_counts_and_the_share_stays_one() -> None:
    redemption = Redemption()
    redemption.ended("coupon", 100, 0)
    before = redemption.share("coupon", 100)
    redemption.late("coupon", 100)
    assert before < redemption.share("coupon", 100) <= 1.0
    redemption.late("coupon", 10**9)
    assert redemption.share("coupon", 100) == 1.0


@pytest.mark.parametrize("state", [None, {"coupon": [1.0]}, {"coupon": [float("nan"), 1.0]}])
def test_a_damaged_state_is_refused(state: object) -> None:
    with pytest.raises(StateError, match="saved redemption"):
        Redemption.of_state(state)  # type: ignore[arg-type]  # meant

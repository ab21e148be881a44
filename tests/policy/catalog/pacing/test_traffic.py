from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.catalog.pacing.traffic import DAY_US, HOUR_US, MONDAY_US, WEEK_US, Period, Traffic
from policy.errors import ParameterError

moments = st.integers(0, 60 * 366 * DAY_US)


@given(moments, st.sampled_from([Period.daily(), Period.weekly(), Period(7, 5 * HOUR_US)]))
def test_a_moment_lies_in_its_period(now_us: int, period: Period) -> None:
    number = period.number(now_us)
    assert period.end_us(number - 1) <= now_us < period.end_us(number)


@given(st.integers(-3, 9), st.integers(0, 9), st.booleans())
def test_funded_periods_are_counted(start: int, more: int, repeats: bool) -> None:
    period = Period(0, DAY_US, repeats)
    expected = sum(period.funded(number) for number in range(start, start + more))
    assert period.n_funded(start, start + more) == expected


def test_weeks_begin_on_monday_and_a_campaign_has_money_once() -> None:
    assert Period.weekly().end_us(-1) == MONDAY_US
    campaign = Period.total(0, DAY_US)
    assert [campaign.funded(number) for number in (-1, 0, 1)] == [False, True, False]


@given(moments, moments, moments)
def test_traffic_adds_up_and_a_week_of_it_is_seven_days(a: int, b: int, c: int) -> None:
    traffic = Traffic(range(168))
    a, b, c = sorted((a, b, c))
    assert traffic.days(a, c) == pytest.approx(traffic.days(a, b) + traffic.days(b, c), abs=1e-9)
    assert traffic.days(a, a + WEEK_US) == pytest.approx(7.0)
    assert traffic.days(a, b) >= -1e-9


@pytest.mark.parametrize("weights", [[1.0], [0.0] * 168, [-1.0] * 168, ["a"] * 168])
def test_weights_that_are_no_week_are_refused(weights: list[float]) -> None:
    with pytest.raises(ParameterError, match="traffic is"):
        Traffic(weights)


@pytest.mark.parametrize(("start_us", "length_us"), [(0, HOUR_US - 1), (2**63, DAY_US)])
def test_periods_out_of_range_are_refused(start_us: int, length_us: int) -> None:
    with pytest.raises(ParameterError, match="must be a whole number from"):
        Period(start_us, length_us)

from math import isfinite

from hypothesis import given
from hypothesis import strategies as st

from segments.decay import (
    DAY_S,
    LAST_S,
    LONG_HALF_LIFE_DAYS,
    SHORT_HALF_LIFE_DAYS,
    growth,
    shrinkage,
)

half_lives = st.sampled_from((SHORT_HALF_LIFE_DAYS, LONG_HALF_LIFE_DAYS))
seconds = st.floats(0.0, LAST_S)


@given(seconds, seconds, half_lives)
def test_a_weight_fades_by_its_age_alone(then, now, half_life):
    then, now = sorted((then, now))
    faded = growth(then, half_life) * shrinkage(now, half_life)
    expected = 2.0 ** ((then - now) / (half_life * DAY_S))
    assert abs(faded - expected) <= 1e-9 * expected + 1e-300


@given(seconds, half_lives)
def test_weights_neither_overflow_nor_vanish(then, half_life):
    assert isfinite(growth(then, half_life) * 2.0**49)
    assert growth(then, half_life) > 0.0

"""What every feature family promises, whatever it measures. A new family joins with one line."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.features.affinity import Affinity
from segments.features.base import NEUTRAL, moment, observation
from segments.features.calendar import Calendar
from segments.features.channel import ChannelMix
from segments.features.discount import Discount
from segments.features.frequency import Frequency
from segments.features.known import Known
from segments.features.monetary import Monetary
from segments.features.purchase_interval import PurchaseInterval
from segments.features.recency import Recency
from segments.features.schema import SCHEMA, Schema
from segments.features.session import SessionActivity
from tests.segments.strategies import START, histories

FEATURES = (
    Affinity(),
    Calendar(),
    ChannelMix(),
    Discount(),
    Frequency(),
    Known(),
    Monetary(),
    PurchaseInterval(),
    Recency(),
    SessionActivity(),
)

every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda f: type(f).__name__)
extreme = st.floats(allow_nan=False) | st.sampled_from((0.0, -1.0, 1e300, math.inf, -math.inf))
days = st.integers(-20_000, 25_000)


def folded(schema, history):
    profile = schema.new_profile()
    for event in history:
        schema.fold(profile, observation(event))
    return profile


def at(day):
    return moment((START + timedelta(days=day)).timestamp())


def test_the_service_uses_exactly_the_families_under_contract():
    assert {type(f) for f in SCHEMA.features} == {type(f) for f in FEATURES}


def test_names_are_unique_over_all_families():
    assert len(set(SCHEMA.feature_names)) == len(SCHEMA.feature_names)
    assert len({column.name for column in SCHEMA.columns}) == len(SCHEMA.columns)


@every_feature
def test_columns_combine_in_a_known_way(feature):
    assert all(column.combine in NEUTRAL for column in feature.columns)


@every_feature
@given(history=histories(), day=days)
def test_one_finite_number_a_reading_and_of_the_order_of_one(feature, history, day):
    schema = Schema((feature,))
    for profile in (schema.new_profile(), folded(schema, history)):
        vector = schema.read(profile, at(day))
        assert len(vector) == len(feature.readings)
        assert all(-1.0 <= x <= 5.0 for x in vector)


@every_feature
@given(data=st.data(), day=days)
def test_any_state_reads_finite(feature, data, day):
    schema = Schema((feature,))
    profile = schema.new_profile()
    for i in range(len(schema.columns)):
        profile.columns[i] = data.draw(extreme)
    assert all(math.isfinite(x) for x in schema.read(profile, at(day)))


@every_feature
@given(history=histories(), day=days, random=st.randoms())
def test_order_does_not_matter(feature, history, day, random):
    schema = Schema((feature,))
    once = schema.read(folded(schema, history), at(day))
    random.shuffle(history)
    assert schema.read(folded(schema, history), at(day)) == pytest.approx(once, abs=1e-9)


@every_feature
@given(history=histories(), day=days, cut=st.integers(0, 12))
def test_merging_equals_having_been_one(feature, history, day, cut):
    schema = Schema((feature,))
    merged = folded(schema, history[:cut])
    schema.merge(merged, folded(schema, history[cut:]))
    whole = schema.read(folded(schema, history), at(day))
    assert schema.read(merged, at(day)) == pytest.approx(whole, abs=1e-9)


@every_feature
@given(value=st.floats(0.0, 1e6))
def test_readings_translate_back_to_natural_units(feature, value):
    for reading in feature.readings:
        assert reading.natural(reading.scaled(value)) == pytest.approx(value, rel=1e-6, abs=1e-9)

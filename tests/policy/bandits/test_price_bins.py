"""Bins of prices: every price in one, every window a density over what is allowed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.bandits.price_bins import PriceBins
from policy.catalog.price_range import PriceRange
from policy.errors import ParameterError


@st.composite
def cases(draw):
    """Bins of some range, and neighbouring prices of it."""
    low, step, n_prices = draw(
        st.tuples(st.integers(1, 300), st.integers(1, 9), st.integers(2, 90))
    )
    prices = PriceRange(low, low + step * (n_prices - 1), step)
    bandwidth = draw(st.none() | st.floats(0, 300))
    bins = PriceBins(prices, draw(st.integers(1, 20)), bandwidth)
    first = draw(st.integers(0, n_prices - 1))
    last = draw(st.integers(first, n_prices - 1))
    return bins, prices.all[first : last + 1]


@given(cases())
def test_every_price_lies_in_the_bin_that_says_so(case):
    bins, allowed = case
    for cents, name in zip(allowed, bins.names(np.array(allowed, float)), strict=True):
        first, last = map(int, name.split("-"))
        assert first <= cents <= last
    sizes = [len(range(*map(int, name.split("-")))) for name in bins.ids]
    assert max(sizes) - min(sizes) <= bins.prices.step_cents


@given(cases())
def test_every_window_is_an_even_density_over_allowed_prices(case):
    bins, allowed = case
    windows = bins.within(allowed)
    half = bins.prices.step_cents / 2
    assert (windows.edges[0], windows.edges[-1]) == (allowed[0] - half, allowed[-1] + half)
    assert np.isin(windows.centres, np.array(allowed)).all()
    for k in range(len(windows.ids)):
        density = windows.density(np.eye(len(windows.ids))[k], floor=0.0)
        heights = np.unique(density.heights)
        assert heights[heights > 0].size == 1
        assert density.at(windows.centres[k]) > 0.0


@given(cases(), st.floats(0.001, 1), st.integers(0, 2**32 - 1))
def test_with_a_floor_every_allowed_price_has_a_chance_and_no_other(case, floor, seed):
    bins, allowed = case
    windows = bins.within(allowed)
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(windows.ids)))
    density = windows.density(weights, floor)
    step = bins.prices.step_cents
    chances = density.at(np.array(allowed, float)) * step
    assert chances.sum() == pytest.approx(1.0, abs=1e-9)
    assert chances.min() >= floor / len(allowed) * (1 - 1e-9)
    outside = [cents for cents in bins.prices.all if cents not in allowed]
    assert not density.at(outside).any()


def test_a_bandwidth_smooths_over_neighbouring_bins():
    bins = PriceBins(PriceRange(100, 190, 10), n_bins=5, bandwidth_cents=20)
    density = bins.within(bins.prices.all).density(np.eye(5)[2], floor=0.0)
    assert [cents for cents in bins.prices.all if density.at(cents) > 0] == [
        120,
        130,
        140,
        150,
        160,
    ]


def test_there_are_no_more_bins_than_prices():
    assert PriceBins(PriceRange(100, 102), n_bins=16).ids == ("100-100", "101-101", "102-102")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_bins": 0}, "n_bins is 0: must be a whole number from 1 to 256"),
        ({"bandwidth_cents": -1}, "bandwidth_cents is -1: must be a number of at least 0"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(parameters, message):
    with pytest.raises(ParameterError) as caught:
        PriceBins(PriceRange(100, 200), **parameters)
    assert message in str(caught.value)

"""A density integrates to 1, is drawn from as it says, and never from where it is 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from policy.density import Density
from policy.errors import DecisionError, PolicyError

uniform = st.floats(0, 1, exclude_max=True)
pieces = st.lists(
    st.tuples(st.floats(0.5, 1_000), st.floats(0, 1)), min_size=1, max_size=12
).filter(lambda found: sum(weight for _, weight in found) > 0.01)


def made(found: list[tuple[float, float]], low: float = -50.0) -> Density:
    widths, weights = np.array(found).T
    edges = low + np.concatenate(([0.0], widths.cumsum()))
    return Density(edges, weights / weights.sum() / np.diff(edges))


@given(pieces)
def test_it_integrates_to_one(found):
    density = made(found)
    assert density.masses.sum() == pytest.approx(1.0, abs=1e-9)
    assert density.below(density.edges[-1]) == 1.0
    assert density.below(density.edges[0]) == 0.0


@given(pieces, uniform)
def test_a_draw_is_the_inverse_of_the_distribution_function(found, u):
    density = made(found)
    value = density.draw(u)
    assert density.edges[0] <= value <= density.edges[-1]
    assert float(density.below(value)) == pytest.approx(u, abs=1e-9)


@given(pieces, st.lists(uniform, min_size=1, max_size=20))
def test_nothing_is_drawn_where_it_is_zero(found, chances):
    density = made(found)
    edges = density.masses.cumsum().clip(0.0, 1.0 - 1e-16)
    for u in [*chances, *edges, *np.nextafter(edges, 0.0)]:
        assert density.at(density.draw(float(u))) > 0.0


@given(pieces, st.floats(0.001, 1e6))
def test_it_is_zero_outside_of_its_edges(found, distance):
    density = made(found)
    outside = [density.edges[0] - distance, density.edges[-1] + distance]
    assert density.at(outside).tolist() == [0.0, 0.0]


def test_draws_pass_a_test_against_it():
    density = made([(10, 0.5), (1, 0.0), (100, 0.3), (3, 0.2)])
    rng = np.random.default_rng(5)
    draws = [density.draw(u) for u in rng.random(20_000)]
    assert kstest(draws, density.below).pvalue > 1e-3


def test_an_edge_belongs_to_the_piece_above_it_and_the_last_one_to_the_last():
    density = Density(np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.25]))
    assert density.at([0.0, 1.0, 3.0]).tolist() == [0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("edges", "heights", "message"),
    [
        ([0, 1], [0.5], "integrates to 0.5"),
        ([0, 1], [np.nan], "heights of at least 0"),
        ([0, 1, 2], [1.5, -0.5], "heights of at least 0"),
        ([0, 0, 1], [0, 1], "ascending edges"),
        ([0, np.nan], [1], "ascending edges"),
        ([0, 1], [0.5, 0.5], "one edge more"),
        ([0], [], "one height or more"),
    ],
)
def test_what_is_no_density_is_refused(edges, heights, message):
    with pytest.raises(PolicyError) as caught:
        Density(np.array(edges, float), np.array(heights, float))
    assert message in str(caught.value)


@pytest.mark.parametrize("u", [-0.1, 1.0, np.nan])
def test_a_chance_outside_of_its_range_is_refused(u):
    with pytest.raises(DecisionError, match="must be at least 0 and below 1"):
        Density(np.array([0.0, 1.0]), np.ones(1)).draw(u)

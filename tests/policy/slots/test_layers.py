"""Lists by weights: Plackett-Luce in one layer, a ranking in many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from policy.errors import DecisionError, ParameterError
from policy.slots.layers import Layers
from tests.policy.slots.strategies import all_lists, layers, open_plan


def test_one_layer_without_a_floor_is_plackett_luce() -> None:
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    lists = all_lists(Layers(open_plan(3, 4), [0, 0, 0, 0], weights))
    assert lists[2, 0, 3] == pytest.approx(0.15 * (0.5 / 0.85) * (0.05 / 0.35), rel=1e-14)
    assert len(lists) == 24


def test_a_later_layer_waits_for_the_first_to_run_out() -> None:
    lists = all_lists(Layers(open_plan(3, 3), [1, 0, 0], [9.0, 3.0, 1.0]))
    assert lists == pytest.approx({(1, 2, 0): 0.75, (2, 1, 0): 0.25})


@settings(deadline=None)
@given(layers())
def test_scaling_the_weights_changes_nothing(one: Layers) -> None:
    scaled = Layers(one.plan, one.layer, one.weight * 2.0**40, floor=one.floor)
    assert all_lists(scaled) == pytest.approx(all_lists(one), rel=1e-12)


def test_the_smallest_weights_share_what_is_left() -> None:
    conditionals = Layers(open_plan(2, 3), [0, 0, 0], [1e100, 1e-100, 1e-100])
    np.testing.assert_allclose(
        conditionals.given(1, np.array([True, False, False])), [0.0, 0.5, 0.5]
    )


@pytest.mark.parametrize(
    ("layer", "weight", "message"),
    [
        ([0, 0], [1.0, 0.0], "weight is 0.0: must be at least 1e-100"),
        ([0, 0], [1.0, np.nan], r"weight\[1\] is nan"),
        ([0, 0], [1.0], r"weight has shape \(1,\): must be \(2,\)"),
        ([0, -1], [1.0, 1.0], "must be whole numbers from 0"),
        ([0.0, 1.0], [1.0, 1.0], "must be whole numbers from 0"),
        ([0], [1.0, 1.0], r"of shape \(2,\)"),
    ],
)
def test_layers_that_make_no_sense_are_refused(
    layer: list[int], weight: list[float], message: str
) -> None:
    with pytest.raises(DecisionError, match=message):
        Layers(open_plan(2, 2), layer, weight)


def test_a_floor_of_one_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"floor is 1\.0"):
        Layers(open_plan(2, 2), [0, 0], [1.0, 1.0], floor=1.0)

"""Figures hold the numbers that they are made of, and say what they leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.ope import figures
from policy.ope.evaluate import Question, evaluate
from policy.ope.overlap import overlaps
from policy.ope.progressive import learning_curves
from policy.ope.search import search
from policy.ope.targets import Constant, Given, Logged, Uniform
from tests.policy.ope.logs import world

if TYPE_CHECKING:
    from policy.ope.results import Evaluation

WORLD = world(1_500, seed=5)
LOG = replace(
    WORLD.log,
    labels={"segment": np.array(["new", "loyal", "new", "rare"])[np.arange(1_500) % 40 % 4]},
)
TARGETS = {"given": Given(WORLD.target), "a": Constant("a"), "even": Uniform(), "logged": Logged()}


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(lambda: [LOG], Question(TARGETS, by=("segment",), baseline="logged"))


def trace(figure: Any, name: str) -> Any:
    (one,) = [trace for trace in figure.data if trace.name == name]
    return one


def test_estimates_are_drawn_with_their_intervals(found: Evaluation) -> None:
    one = trace(figures.estimates_figure(found), "given")
    best = found.of("given").best
    assert one.x == (best.value,)
    assert best.value + one.error_x.array[0] == pytest.approx(best.interval.high)
    assert best.value - one.error_x.arrayminus[0] == pytest.approx(best.interval.low)


def test_groups_and_lift_are_drawn_by_value(found: Evaluation) -> None:
    one = trace(figures.groups_figure(found, "segment"), "even")
    assert set(one.x) == {"new", "loyal", "rare"}
    for value, y in zip(one.x, one.y, strict=True):
        assert y == found.of("even", "segment", value).best.value
    lift = figures.lift_figure(found)
    assert [each.name for each in lift.data] == ["given", "a", "even"]  # not of the baseline
    advantage = found.of("even").advantage
    assert advantage is not None
    assert trace(lift, "even").y == (advantage.value,)


def test_what_the_log_cannot_tell_is_left_out_and_said() -> None:
    few = evaluate(lambda: [LOG], Question({"a": Constant("a"), "even": Uniform()}))
    results = tuple(
        replace(one, diagnosis=replace(one.diagnosis, reasons=("too few",)))
        if one.policy == "a"
        else one
        for one in few.results
    )
    figure = figures.estimates_figure(replace(few, results=results))
    assert [each.name for each in figure.data] == ["even"]
    assert "left out, the log cannot tell: a" in figure.layout.annotations[-1].text


def test_weights_and_shares_are_those_of_the_overlap() -> None:
    seen = overlaps([LOG], TARGETS)
    figure = figures.weights_figure(seen)
    assert sum(trace(figure, "given (0% at 0)").y) == pytest.approx(1.0)
    bars = figures.shares_figure(seen).data[0]
    shown = dict(zip(bars.x, bars.y, strict=True))
    assert shown["a"] == pytest.approx((LOG.action == 0).mean())


def test_effective_rows_are_drawn_by_policy_and_value(found: Evaluation) -> None:
    (heat,) = figures.support_figure(found, "segment").data
    row, column = list(heat.y).index("even"), list(heat.x).index("new")
    seen = found.of("even", "segment", "new").diagnosis
    assert heat.z[row][column] == pytest.approx(seen.effective_rows / seen.n_rows)


def test_curves_and_searches_are_drawn() -> None:
    width = LOG.context.shape[1]
    curves = learning_curves(lambda: [LOG], {"it": make_policy("softmax", width, 0)}, n_points=4)
    one = trace(figures.curves_figure(curves, ["other"]), "it")
    assert list(one.y) == [point.value for point in curves["it"]]
    assert one.line.color == figures.style.COLOURS[1]
    searched = search(lambda: [LOG], {"it": lambda log: make_policy("softmax", width, 0)})
    figure = figures.search_figure(searched)
    assert trace(figure, "where the winner was judged").x == (searched.judged.best.value,)

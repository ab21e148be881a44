"""What prices would have earned is found, compared and refused from logs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policy.bandits.build import make_policy
from policy.bandits.cats import Cats, bin_features
from policy.catalog.price_range import PriceRange
from policy.errors import EvaluationError, LogError
from policy.ope.prices.evaluate import PriceQuestion, evaluate_prices
from policy.ope.prices.log import PricedDecisions
from policy.ope.prices.targets import ConstantPrice, DrawnPrices, LoggedPrices

if TYPE_CHECKING:
    from policy.ope.intervals.base import Interval

STEP = 10
GRID = np.arange(500, 1501, STEP)
MASS = np.where((GRID >= 800) & (GRID <= 1000), 5.0, 0.4)
MASS /= MASS.sum()


def earned(price: np.ndarray | float) -> np.ndarray | float:
    """What a price truly earns a decision."""
    return price / 100.0 / (1.0 + np.exp((price - 900.0) / 100.0))


def drawn(n: int, seed: int) -> PricedDecisions:
    rng = np.random.default_rng(seed)
    place = rng.choice(len(GRID), n, p=MASS)
    price = GRID[place].astype(float)
    sold = rng.random(n) < earned(price) / (price / 100.0)
    ends = np.full(n, 500.0), np.full(n, 1500.0)
    labels = {"day": np.where(np.arange(n) % 2, "mon", "tue")}
    return PricedDecisions(
        price, MASS[place] / STEP, price / 100 * sold, *ends, STEP, np.ones((n, 1)), labels=labels
    )


def constant(cents: int) -> ConstantPrice:
    return ConstantPrice(cents, 500, 1500, STEP)


def evaluate_once(log: PricedDecisions, question: PriceQuestion) -> Interval:
    """The interval of the only policy."""
    return evaluate_prices(lambda: [log], question).results[0].best.interval


def guarded(seed: int) -> tuple[PricedDecisions, np.ndarray]:
    """A log in which every fourth visitor could be shown one price only, and who that was."""
    log = drawn(4_000, seed)
    stuck = np.arange(4_000) % 4 == 0
    low, high = np.where(stuck, log.price, 500.0), np.where(stuck, log.price, 1500.0)
    density = np.where(stuck, 1.0 / STEP, log.density)
    return replace(log, lowest=low, highest=high, density=density), stuck


def cats() -> Cats:
    chooser = make_policy("epsilon_greedy", 1, bin_features(1), epsilon=1.0)
    return Cats(chooser, 1, PriceRange(500, 1500, STEP), n_bins=4, floor=0.2)


@pytest.mark.parametrize("cents", [700, 900, 1200])
def test_intervals_hold_the_truth_as_often_as_they_say(cents: int) -> None:
    """The widest kernel that agrees with narrower ones, taken alone, reaches 55 to 75 %."""
    question = PriceQuestion({"p": constant(cents)})
    held = [evaluate_once(drawn(6_000, seed), question).holds(earned(cents)) for seed in range(60)]
    assert np.mean(held) >= 0.87  # three errors of a share of 95 % below it


def test_chunks_and_groups_add_up_to_the_whole() -> None:
    log = drawn(6_000, seed=1)
    half = len(log.price) // 2

    def part(rows: slice) -> PricedDecisions:
        columns = ("price", "density", "reward", "lowest", "highest", "context")
        cut = {name: getattr(log, name)[rows] for name in columns}
        labels = {"day": log.labels["day"][rows]}
        return replace(log, **cut, labels=labels, first_row=rows.start)

    question = PriceQuestion(
        {"900": constant(900), "cats": DrawnPrices(cats(), (0,)), "logged": LoggedPrices()},
        by=("day",),
        baseline="logged",
    )
    whole = evaluate_prices(lambda: [log], question)
    parts = evaluate_prices(lambda: [part(slice(0, half)), part(slice(half, 6_000))], question)
    assert [one.group for one in whole.results] == [one.group for one in parts.results]
    for one, other in zip(whole.results, parts.results, strict=True):
        assert one.best.value == pytest.approx(other.best.value, rel=1e-9)
        assert one.best.interval.low == pytest.approx(other.best.interval.low, rel=1e-6)
    assert whole.of("logged").best.value == pytest.approx(whole.mean_reward)
    assert whole.of("logged").advantage is None
    days = [whole.of("900", "day", day).diagnosis.n_rows for day in ("mon", "tue")]
    assert sum(days) == log.n_rows


def test_a_policy_over_prices_earns_the_mean_over_its_density() -> None:
    policy = cats()
    allowed = range(500, 1501, STEP)
    density = policy.density(np.ones(1), allowed, np.random.default_rng(0))
    truth = float((earned(GRID) * density.at(GRID) * STEP).sum())
    question = PriceQuestion({"cats": DrawnPrices(policy, (0,))}, level=0.999)
    found = evaluate_prices(lambda: [drawn(6_000, seed=2)], question).of("cats")
    assert found.best.interval.holds(truth)
    assert found.diagnosis.mean_weight == pytest.approx(1.0, abs=0.1)


def test_a_price_beyond_some_guards_is_judged_at_the_nearest_and_said() -> None:
    log, stuck = guarded(seed=0)
    found = evaluate_prices(lambda: [log], PriceQuestion({"900": constant(900)}))
    (warning,) = found.warnings
    share = np.mean(stuck & (log.price != 900.0))
    assert warning.startswith(f"900: {share:.1%} of the decisions could not have drawn it")
    off = []
    for seed in range(12):
        log, stuck = guarded(seed)
        found = evaluate_prices(partial(list, [log]), PriceQuestion({"900": constant(900)}))
        truth = 0.75 * earned(900.0) + 0.25 * log.reward[stuck].mean()
        off.append(found.of("900").best.value - truth)
    assert np.mean(off) == pytest.approx(0.0, abs=0.35)  # errors of 0.31 each


def test_too_few_rows_are_refused_in_words() -> None:
    found = evaluate_prices(lambda: [drawn(60, seed=4)], PriceQuestion({"1400": constant(1400)}))
    seen = found.of("1400").diagnosis
    assert not seen.answerable
    assert "effective rows" in seen.reasons[0]
    assert [one.estimator for one in found.of("1400").estimates] == ["kernel_corrected"]


def test_wrong_densities_are_noticed() -> None:
    log = drawn(6_000, seed=5)
    wrong = replace(log, density=log.density / 2.0)
    seen = evaluate_prices(lambda: [wrong], PriceQuestion({"900": constant(900)})).of("900")
    assert "should be 1" in seen.diagnosis.reasons[0]


def test_questions_and_logs_that_cannot_be_are_refused() -> None:
    log = drawn(10, seed=6)
    with pytest.raises(EvaluationError, match="drew none but those from 500 to 1500"):
        constant(499)
    with pytest.raises(EvaluationError, match="no price to evaluate"):
        PriceQuestion({})
    with pytest.raises(EvaluationError, match="baseline 'x'"):
        PriceQuestion({"900": constant(900)}, baseline="x")
    with pytest.raises(EvaluationError, match="no rows"):
        evaluate_prices(list, PriceQuestion({"900": constant(900)}))
    with pytest.raises(EvaluationError, match="results by 'dya'"):
        evaluate_prices(lambda: [log], PriceQuestion({"900": constant(900)}, by=("dya",)))
    with pytest.raises(EvaluationError, match="row 0: allowed prices are"):
        DrawnPrices(cats(), (0,)).columns(replace(log, highest=np.full(10, 1600.0)))
    for change, told in (
        ({"density": np.zeros(10)}, "row 0: density"),
        ({"density": np.ones(10)}, "row 0: density"),
        ({"reward": np.full(10, np.nan)}, "row 0: reward"),
        ({"highest": np.full(10, 400.0)}, "row 0: price"),
    ):
        with pytest.raises(LogError, match=told):
            replace(log, **change)

"""How often intervals hold the truth, and how far estimates are from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ope.worlds import TARGET, World, draw, true_value
from policy.ope.evaluate import Question, evaluate
from policy.ope.intervals.running_average import RunningAverage
from policy.ope.targets import Column

if TYPE_CHECKING:
    from benchmarks.ope.worlds import Array
    from policy.ope.log import Decisions

LOOK_ROWS = 100
QUESTION = Question({TARGET: Column(TARGET)})


@dataclass(slots=True)
class Coverage:
    """What was found over the logs of one world.

    Args:
        world: Its name.
        truth: The target's value.
        n_logs: Drawn.
        n_refused: Of these, how many were said to tell nothing.
        n_held: Default intervals that hold the truth, of all logs.
        n_answered_held: The same, of the logs that were not refused.
        n_always: Intervals that hold the average so far at every look; None for unbounded rewards.
        errors: Estimate minus truth of each estimator, a number a log.
        half_widths: Of the default interval.
    """

    world: str
    truth: float
    n_logs: int = 0
    n_refused: int = 0
    n_held: int = 0
    n_answered_held: int = 0
    n_always: int | None = None
    errors: dict[str, list[float]] = field(default_factory=dict)
    half_widths: list[float] = field(default_factory=list)

    @property
    def rmse(self) -> dict[str, float]:
        """Root mean squared error of each estimator."""
        return {
            name: float(np.sqrt(np.mean(np.square(found)))) for name, found in self.errors.items()
        }


def measure(world: World, n_logs: int, n_rows: int | None = None, seed: int = 0) -> Coverage:
    """Coverage and errors over fresh logs of a world."""
    rng = np.random.default_rng(seed)
    found = Coverage(world.name, true_value(world), n_always=None if world.is_revenue else 0)
    for _ in range(n_logs):
        log, expected = draw(world, n_rows or world.n_rows, rng)
        _take_in(found, log)
        if found.n_always is not None:
            found.n_always += _always_holds(world, log, expected)
    return found


def _take_in(found: Coverage, log: Decisions) -> None:
    result = evaluate(lambda: [log], QUESTION).of(TARGET)
    interval = result.best.interval
    holds = interval.holds(found.truth)
    found.n_logs += 1
    found.n_held += holds
    found.n_refused += not result.diagnosis.answerable
    found.n_answered_held += holds and result.diagnosis.answerable
    found.half_widths.append(interval.half_width)
    for one in result.estimates:
        found.errors.setdefault(one.estimator, []).append(one.value - found.truth)


def _always_holds(world: World, log: Decisions, expected: Array) -> bool:
    average = RunningAverage(0.0, 1.0, largest_weight=world.largest_weight)
    rows = np.arange(log.n_rows)
    weight = log.targets[TARGET][rows, log.action] / log.propensity
    so_far = expected.cumsum() / (rows + 1.0)
    for start in range(0, log.n_rows, LOOK_ROWS):
        look = slice(start, start + LOOK_ROWS)
        average.update(weight[look], log.reward[look])
        if not average.stands(float(so_far[look][-1])):
            return False
    return True

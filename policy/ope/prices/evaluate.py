"""Many prices and policies over prices on one log, overall and by label, in one pass.

Where the parts of this folder meet: the same results as of choices among actions come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policy.errors import EvaluationError, shown, suggestion
from policy.ope.diagnostics import Diagnosis, diagnosis
from policy.ope.estimators.base import Functional
from policy.ope.estimators.price.corrected import Corrected
from policy.ope.intervals.base import checked_level
from policy.ope.prices.log import HAIR, PricedDecisions
from policy.ope.results import OVERALL, Estimate, Evaluation, Group, Result, estimate_of, groups_of
from policy.ope.tally import N_BUCKETS, Tally, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from policy.ope.log import Array, Ints
    from policy.ope.prices.targets import PriceTarget

    Chunks = Callable[[], Iterable[PricedDecisions]]

N_COMMON = 4
"""Columns before those of the policies: the reward, nothing, certainty, a choice."""


@dataclass(frozen=True, slots=True)
class PriceQuestion:
    """What is to be estimated.

    Args:
        targets: The policies by name, at least one.
        by: Labels whose values are told apart.
        level: Of the intervals, in (0, 1).
        baseline: Name of the policy that the others are compared with; None for no comparison.

    Raises:
        EvaluationError: No policies, a baseline that is none of them, or a level out of range.

    Example:
        >>> from policy.ope.prices.targets import ConstantPrice
        >>> rng = np.random.default_rng(0)
        >>> price = rng.integers(500, 901, 4_000).astype(float)
        >>> ends = np.full(4_000, 500.0), np.full(4_000, 900.0)
        >>> log = PricedDecisions(price, np.full(4_000, 1 / 401), price / 100, *ends, 1)
        >>> question = PriceQuestion({"700": ConstantPrice(700, 500, 900, 1)})
        >>> round(evaluate_prices(lambda: [log], question).of("700").best.value, 1)
        7.0
    """

    targets: Mapping[str, PriceTarget]
    by: tuple[str, ...] = ()
    level: float = 0.95
    baseline: str | None = None

    def __post_init__(self) -> None:
        checked_level(self.level)
        if not self.targets:
            raise EvaluationError("no price to evaluate: name at least one")
        if self.baseline is not None and self.baseline not in self.targets:
            raise EvaluationError(
                f"baseline {shown(self.baseline)}: {suggestion(self.baseline, self.targets)}"
            )

    @property
    def corrected_level(self) -> float:
        """Level of each comparison, so that all hold together at ``level`` (Bonferroni)."""
        return 1.0 - (1.0 - self.level) / max(len(self.targets) - 1, 1)


def evaluate_prices(chunks: Chunks, question: PriceQuestion) -> Evaluation:
    """What each policy over prices would have earned, from one pass over the log.

    Args:
        chunks: Gives the log's chunks, in order.
        question: What is to be estimated.

    Raises:
        EvaluationError: A policy that the log cannot be asked about; a label that it lacks; a log
            of no rows.
    """
    tallies: dict[Group, Tally] = {}
    for log in chunks():
        columns, bucket = _columns(log, question), _buckets(log)
        everything = (Group(OVERALL, OVERALL), np.arange(log.n_rows))
        for group, rows in (everything, *groups_of(log.labels, question.by)):
            own = Tally.of(columns[rows], bucket[rows])
            before = tallies.get(group)
            tallies[group] = own if before is None else before.merged(own)
    if not tallies:
        raise EvaluationError("the log has no rows: nothing can be estimated from it")
    whole = tallies[Group(OVERALL, OVERALL)]
    parts = _parts(question)
    labels = (OVERALL, *question.by)
    groups = sorted(tallies, key=lambda group: (labels.index(group.label), group.value))
    results = (
        _result(question, parts, name, group, tallies[group])
        for name in question.targets
        for group in groups
    )
    return Evaluation(
        whole.n_rows, float(whole.means[0]), tuple(results), tuple(_warnings(parts, whole))
    )


class Difference(Functional):
    """What one estimator gives beyond another, on the same rows.

    Args:
        one: Of the first columns.
        other: Of those behind.
        n_first: Columns of the first.
    """

    name: str = "difference"

    def __init__(self, one: Functional, other: Functional, n_first: int) -> None:
        self.one, self.other, self.n_first = one, other, n_first

    def value(self, means: Array) -> float:
        """First less second."""
        return self.one.value(means[: self.n_first]) - self.other.value(means[self.n_first :])

    def gradient(self, means: Array) -> Array:
        """Of both, the second's with the other sign."""
        first = self.one.gradient(means[: self.n_first])
        return np.concatenate((first, -self.other.gradient(means[self.n_first :])))

    def settled(self, tally: Tally) -> Difference:
        """Each once its own parameter is chosen."""
        places = np.arange(tally.sums.shape[1])
        one = self.one.settled(tally.only(places[: self.n_first]))
        other = self.other.settled(tally.only(places[self.n_first :]))
        return Difference(one, other, self.n_first)

    def trusted(self) -> Difference:
        """Of both, what is of no unknown bias."""
        return Difference(self.one.trusted(), self.other.trusted(), self.n_first)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Where a policy's columns are: whether it was moved, then those of each estimator."""

    estimators: tuple[Functional, ...]
    moved: int
    places: tuple[Ints, ...]


def _parts(question: PriceQuestion) -> dict[str, _Part]:
    parts, start = {}, N_COMMON
    for name, target in question.targets.items():
        places, behind = [], start + 1
        for estimator in target.estimators:
            places.append(np.arange(behind, behind + estimator.n_columns))
            behind += estimator.n_columns
        parts[name] = _Part(target.estimators, start, tuple(places))
        start = behind
    return parts


def _columns(log: PricedDecisions, question: PriceQuestion) -> Array:
    several = log.highest > log.lowest
    certain = several & (log.probability >= 1.0 - HAIR)
    columns = [np.column_stack((log.reward, np.zeros(log.n_rows), certain, several))]
    for target in question.targets.values():
        columns += [target.moved(log)[:, None].astype(np.float64), target.columns(log)]
    return np.hstack(columns)


def _buckets(log: PricedDecisions) -> Ints:
    if log.cluster is not None:
        return spread(log.cluster, N_BUCKETS)
    rows: Ints = (log.first_row + np.arange(log.n_rows)) % N_BUCKETS
    return rows


def _result(
    question: PriceQuestion, parts: Mapping[str, _Part], name: str, group: Group, tally: Tally
) -> Result:
    part = parts[name]
    told = [
        (
            estimate_of(estimator, tally.only(places), question.level),
            _seen(estimator, places, tally),
        )
        for estimator, places in zip(part.estimators, part.places, strict=True)
    ]
    (_, seen), *others = told
    estimates = (told[0][0], *(one for one, diagnosed in others if diagnosed.answerable))
    return Result(name, group, estimates, seen, None, _advantage(question, parts, name, tally))


def _seen(estimator: Functional, places: Ints, whole: Tally) -> Diagnosis:
    """Of the weights that the estimate's interval rests on."""
    settled = estimator.settled(whole.only(places))
    column = settled.weight_column if isinstance(settled, Corrected) else 1
    return diagnosis(whole.only([places[column], 1, 2, 3]))


def _advantage(
    question: PriceQuestion, parts: Mapping[str, _Part], name: str, tally: Tally
) -> Estimate | None:
    if question.baseline in (None, name):
        return None
    one, other = parts[name], parts[str(question.baseline)]
    both = np.concatenate((one.places[0], other.places[0]))
    difference = Difference(one.estimators[0], other.estimators[0], len(one.places[0]))
    return estimate_of(difference, tally.only(both), question.corrected_level)


def _warnings(parts: Mapping[str, _Part], whole: Tally) -> list[str]:
    return [
        f"{name}: {whole.means[part.moved]:.1%} of the decisions could not have drawn it under "
        "their price guards, and are judged at the nearest price that they could"
        for name, part in parts.items()
        if whole.means[part.moved] > 0.0
    ]

"""Many policies on one log, overall and by label, in two passes and constant memory.

Where the parts meet: chunks of the log go in, estimates with intervals and diagnoses come out. The
same chunks in the same order give the same bits, wherever each was worked on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from policy.errors import EvaluationError, shown, suggestion
from policy.ope.diagnostics import diagnosis, overlap_columns
from policy.ope.estimators.blended import Blended
from policy.ope.estimators.direct_method import DirectMethod
from policy.ope.estimators.doubly_robust import DoublyRobust
from policy.ope.estimators.ips import IPS
from policy.ope.estimators.sndr import SNDR
from policy.ope.estimators.snips import SNIPS
from policy.ope.estimators.tuned import tuned_clipped_ips, tuned_dros, tuned_switch_dr
from policy.ope.intervals.base import checked_level
from policy.ope.intervals.running_average import RunningAverage
from policy.ope.log import Decisions
from policy.ope.results import (
    OVERALL,
    Evaluation,
    Group,
    Result,
    estimate_of,
    groups_of,
)
from policy.ope.reward_model import NormalEquations, RewardModel
from policy.ope.sample import sample_of
from policy.ope.tally import N_BUCKETS, Tally, buckets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from policy.ope.estimators.base import Estimator
    from policy.ope.intervals.base import Interval
    from policy.ope.targets import Target

    Chunk: TypeAlias = "Decisions | Shard"
    Chunks = Callable[[], Iterable[Chunk]]
    MapChunks = Callable[[Callable[[Chunk], Any], Iterable[Chunk]], Iterable[Any]]

N_GROUP_BUCKETS = 128
DEFAULT = Blended()
COMPARED = DoublyRobust()
ESTIMATED = (
    "propensities are estimated from the log, not logged: every estimate and interval presumes "
    "that the context holds all that the choices depended on; log the probability of each choice"
)


def standard_estimators() -> tuple[Estimator, ...]:
    """What is shown unless asked otherwise; the first is the one to read."""
    return (
        DEFAULT,
        DoublyRobust(),
        SNDR(),
        SNIPS(),
        IPS(),
        tuned_dros(),
        tuned_switch_dr(),
        tuned_clipped_ips(),
        DirectMethod(),
    )


class Shard(Protocol):
    """Chunks that are read where they are worked on, such as by a process of a pool."""

    def chunks(self) -> Iterator[Decisions]:
        """Its chunks, in order, at least one."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be estimated.

    Args:
        targets: The policies by name, at least one.
        estimators: The first is the one to read.
        by: Labels whose values are told apart.
        level: Of the intervals, in (0, 1).
        rewards: Smallest and largest possible reward, for intervals that hold at any time; None
            leaves these out.
        largest_weight: Largest weight that could ever occur, which narrows these; None where
            nothing bounds it.
        baseline: Name of the policy that the others are compared with; None for no comparison.

    Raises:
        EvaluationError: No policies, a baseline that is none of them, or a level out of range.

    Example:
        >>> from policy.ope.log import Decisions
        >>> from policy.ope.targets import Constant
        >>> rows = np.arange(1000)
        >>> log = Decisions(("a", "b"), rows % 2, (rows % 4 == 1) * 1.0, np.full(1000, 0.5))
        >>> result = evaluate(lambda: [log], Question({"b": Constant("b")})).of("b")
        >>> round(result.best.value, 2), result.diagnosis.answerable
        (0.5, True)
    """

    targets: Mapping[str, Target]
    estimators: tuple[Estimator, ...] = ()
    by: tuple[str, ...] = ()
    level: float = 0.95
    rewards: tuple[float, float] | None = None
    largest_weight: float | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        checked_level(self.level)
        if not self.targets:
            raise EvaluationError("no policy to evaluate: name at least one")
        if self.baseline is not None and self.baseline not in self.targets:
            raise EvaluationError(
                f"baseline {shown(self.baseline)}: {suggestion(self.baseline, self.targets)}"
            )
        if not self.estimators:
            object.__setattr__(self, "estimators", standard_estimators())

    @property
    def corrected_level(self) -> float:
        """Level of each comparison, so that all hold together at ``level`` (Bonferroni)."""
        return 1.0 - (1.0 - self.level) / max(len(self.targets) - 1, 1)


def evaluate(chunks: Chunks, question: Question, map_chunks: MapChunks = map) -> Evaluation:
    """What each policy would have earned, from two passes over the log.

    Args:
        chunks: Gives the log's chunks, in order, as often as it is called; shards are read by who
            works on them.
        question: What is to be estimated.
        map_chunks: How a function is applied to every chunk, results in order: ``map``, or the
            ``imap`` of a pool.

    Raises:
        EvaluationError: A policy that the log cannot be asked about; a label that it lacks.
        LogError: Rows that cannot be used, or none.
    """
    model = None
    if question.baseline or any(estimator.needs_model for estimator in question.estimators):
        model = RewardModel.fitted(
            reduce(NormalEquations.merged, _some(map_chunks(_equations_of, chunks())))
        )
    parts = _some(map_chunks(partial(_parts_of, question, model), chunks()))
    whole = reduce(_Part.merged, parts)
    always = _always(chunks(), question) if question.rewards else {}
    return Evaluation(
        whole.reward.n_rows,
        float(whole.reward.means[0]),
        tuple(
            _result(question, key, tallies, always.get(key.policy))
            for key, tallies in sorted(whole.tallies.items(), key=partial(_order, question))
        ),
        (ESTIMATED,) if whole.is_estimated else (),
    )


class _Key(NamedTuple):
    policy: str
    group: Group


@dataclass(frozen=True, slots=True)
class _Part:
    """Tallies for every policy and group: of the estimators, the overlap and the advantage."""

    reward: Tally
    tallies: Mapping[_Key, tuple[Tally, ...]]
    is_estimated: bool = False

    def merged(self, other: _Part) -> _Part:
        tallies = dict(self.tallies)
        for key, theirs in other.tallies.items():
            ours = tallies.get(key)
            tallies[key] = (
                theirs
                if ours is None
                else tuple(a.merged(b) for a, b in zip(ours, theirs, strict=True))
            )
        is_estimated = self.is_estimated or other.is_estimated
        return _Part(self.reward.merged(other.reward), tallies, is_estimated)


def _equations_of(chunk: Chunk) -> NormalEquations:
    return reduce(NormalEquations.merged, map(NormalEquations.of, _logs(chunk)))


def _logs(chunk: Chunk) -> Iterable[Decisions]:
    return (chunk,) if isinstance(chunk, Decisions) else chunk.chunks()


def _parts_of(question: Question, model: RewardModel | None, chunk: Chunk) -> _Part:
    return reduce(_Part.merged, map(partial(_part_of, question, model), _logs(chunk)))


def _part_of(question: Question, model: RewardModel | None, log: Decisions) -> _Part:
    expected = None if model is None else model.expected(log)
    bucket = buckets(log)
    samples = {
        policy: sample_of(log, target.probabilities(log), expected)
        for policy, target in question.targets.items()
    }
    tallies: dict[_Key, tuple[Tally, ...]] = {}
    for policy, sample in samples.items():
        columns = [estimator.columns(sample) for estimator in question.estimators]
        columns.append(overlap_columns(sample))
        if question.baseline is not None:
            base = samples[question.baseline]
            columns.append(COMPARED.columns(sample) - COMPARED.columns(base))
        tallies[_Key(policy, Group(OVERALL, OVERALL))] = tuple(
            Tally.of(one, bucket) for one in columns
        )
        for group, rows in groups_of(log.labels, question.by):
            few = bucket[rows] * N_GROUP_BUCKETS // N_BUCKETS
            tallies[_Key(policy, group)] = tuple(
                Tally.of(one[rows], few, N_GROUP_BUCKETS) for one in columns
            )
    return _Part(Tally.of(log.reward[:, None], bucket), tallies, log.propensity_is_estimated)


def _always(chunks: Iterable[Chunk], question: Question) -> dict[str, Interval]:
    """One pass in the order of the log."""
    assert question.rewards is not None  # noqa: S101  # the caller asked only then
    low, high = question.rewards
    sequences = {
        name: RunningAverage(low, high, question.level, largest_weight=question.largest_weight)
        for name in question.targets
    }
    for log in chain.from_iterable(map(_logs, chunks)):
        for name, target in question.targets.items():
            weight = sample_of(log, target.probabilities(log)).weight
            sequences[name].update(weight, log.reward)
    return {name: sequence.interval for name, sequence in sequences.items()}


def _result(
    question: Question, key: _Key, tallies: tuple[Tally, ...], always: Interval | None
) -> Result:
    n_estimators = len(question.estimators)
    estimates = tuple(
        estimate_of(estimator, tally, question.level)
        for estimator, tally in zip(question.estimators, tallies[:n_estimators], strict=True)
    )
    advantage = None
    if question.baseline not in (None, key.policy):
        advantage = estimate_of(COMPARED, tallies[-1], question.corrected_level)
    return Result(
        key.policy,
        key.group,
        estimates,
        diagnosis(tallies[n_estimators]),
        always if key.group.label == OVERALL else None,
        advantage,
    )


def _order(question: Question, item: tuple[_Key, Any]) -> tuple[int, int, str]:
    key = item[0]
    labels = (OVERALL, *question.by)
    return list(question.targets).index(key.policy), labels.index(key.group.label), key.group.value


def _some(parts: Iterable[Any]) -> Iterator[Any]:
    """The parts, of which there must be one."""
    empty = True
    for part in parts:
        empty = False
        yield part
    if empty:
        raise EvaluationError("the log has no rows: nothing can be estimated from it")

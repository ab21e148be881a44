"""What there is to say of a segmentation and the visitors of now, as numbers."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from api.cli.segments.movement import Movement, latest_moves
from api.cli.segments.source import NamedFit, Source
from api.segment_families import family_of
from api.storage.base import StoreError
from api.storage.visitor_log import Crowd
from segments.cluster.assign.base import NOISE
from segments.cluster.family import Cohort, Family
from segments.cluster.kmeans import behaviour_scaling
from segments.cluster.segmentation import NOISE_ID, Segment
from segments.cluster.tree_rules import Surrogate, explain
from segments.evaluation.criteria import Criteria, Findings, baseline_value, shortfalls
from segments.evaluation.migration import Migration, migration, segment_ids
from segments.evaluation.separation import Separation, separation
from segments.evaluation.stability import Stability, bootstrap_stability
from segments.evaluation.value import Value, future_value

MAX_ROWS = 5_000
"""Visitors that stability and the map look at."""
MOVED_DAYS = 30
"""Of the flows that a report shows."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What segments knew about the future.

    Args:
        said: Of what, in words.
        value: Over all visitors.
        means: By segment id, the mean outcome of its members.
        baseline: Eta squared of the better of RFM and past spend; None where it is not known.
    """

    said: str
    value: Value
    means: tuple[tuple[str, float], ...]
    baseline: float | None


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier fit: its name, when it was, and each segment's share of the visitors then."""

    name: str
    fitted_at: datetime
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A segmentation and its members now.

    Args:
        fit: The segmentation.
        crowd: The visitors now.
        ids: Segment of each of them.
        sizes: Members now of each of `fit.segmentation.segments`.
        rules: The segmentation in rules, and how faithful they are.
        apart: How well apart segments are.
        stability: Of fitting it again, or None where that was not asked or cannot be said.
        worth: What it knew about the future, or None where that was not asked.
        missed: Criteria that it misses, in words; None where its stability is not known.
        history: The fits up to this one, the oldest first.
        movement: How visitors moved of late; None where the store knows of no move.
    """

    fit: NamedFit
    crowd: Crowd
    ids: tuple[str, ...]
    sizes: tuple[int, ...]
    rules: Surrogate
    apart: Separation
    stability: Stability | None
    worth: Worth | None
    missed: tuple[str, ...] | None
    history: tuple[Past, ...]
    movement: Movement | None

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Of the segmentation, noise last."""
        return tuple(self.fit.segmentation.segments)


def report(
    source: Source,
    fit: NamedFit,
    rng: np.random.Generator,
    *,
    draws: int = 0,
    outcome_days: int | None = None,
    criteria: Criteria | None = None,
) -> Report:
    """Measures a segmentation on the visitors of now.

    Args:
        source: Where the visitors are from.
        fit: The segmentation.
        rng: Draws visitors.
        draws: For the stability; 0 for none.
        outcome_days: How long ago visitors are looked at for what they spent since; None for not at
            all. A parquet file's target takes its place.
        criteria: What the segmentation has to hold.

    Raises:
        StoreError: The visitors cannot be read, or there are none.
        SegmentationError: The segmentation is of other features.
    """
    crowd, segmentation = source.now(), fit.segmentation
    if not crowd.visitors:
        raise StoreError(f"{source.path} holds no visitors yet; send events, then ask again")
    segmentation.require_features(crowd.feature_names)
    cohort = sampled(Cohort(crowd.vectors, crowd.feature_names), rng)
    ids = segment_ids(segmentation, crowd.vectors)
    counted = Counter(ids)
    family = family_of(segmentation) if draws else None
    apart = separation(
        behaviour_scaling(cohort).apply(cohort.vectors),
        segmentation.assign_many(cohort.vectors),
        rng,
    )
    stability = (
        None
        if family is None
        else bootstrap_stability(family, cohort, segmentation.assigner, rng, draws)
    )
    worth = _worth(source, fit, outcome_days, rng)
    return Report(
        fit,
        crowd,
        tuple(ids),
        tuple(counted[segment.id] for segment in segmentation.segments),
        explain(segmentation, cohort, rng),
        apart,
        stability,
        worth,
        _missed(stability, apart, worth, criteria or Criteria()),
        _history(source, fit),
        _movement(source),
    )


def _missed(
    stability: Stability | None, apart: Separation, worth: Worth | None, criteria: Criteria
) -> tuple[str, ...] | None:
    if stability is None:
        return None
    known = (None, None) if worth is None else (worth.value.eta_squared, worth.baseline)
    return shortfalls(Findings(stability, apart, None, *known), criteria)


def compared(
    old: tuple[NamedFit, Crowd], new: tuple[NamedFit, Crowd]
) -> tuple[Migration, tuple[str, ...]]:
    """Who moved between two fits and why, and the ids of all segments in the order of the fits.

    Args:
        old: A fit, and the visitors of its time.
        new: A later one, likewise.

    Raises:
        SegmentationError: One of them is of other features, or there are no visitors.
    """
    for fit, crowd in (old, new):
        fit.segmentation.require_features(crowd.feature_names)
    found = migration(
        old[0].segmentation,
        new[0].segmentation,
        (old[1].visitors, old[1].vectors),
        (new[1].visitors, new[1].vectors),
    )
    named = [s.id for fit, _ in (old, new) for s in fit.segmentation.segments if s.id != NOISE_ID]
    return found, (*dict.fromkeys(named), NOISE_ID)


def sampled(cohort: Cohort, rng: np.random.Generator) -> Cohort:
    """At most 5,000 of the visitors."""
    if len(cohort) <= MAX_ROWS:
        return cohort
    return cohort.rows(np.sort(rng.choice(len(cohort), MAX_ROWS, replace=False)))


def placed(report: Report, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], list[str]]:
    """A map of at most 5,000 visitors: principal components, shape (n, 2), and their segments."""
    cohort = sampled(Cohort(report.crowd.vectors, report.crowd.feature_names), rng)
    points = behaviour_scaling(cohort).apply(cohort.vectors)
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    if flat.shape[1] < 2:
        flat = np.column_stack([flat, np.zeros((len(flat), 2 - flat.shape[1]))])
    return flat, segment_ids(report.fit.segmentation, cohort.vectors)


def _worth(
    source: Source, fit: NamedFit, days: int | None, rng: np.random.Generator
) -> Worth | None:
    if days is None and source.target is None:
        return None
    crowd = source.with_outcome(days or 0)
    fit.segmentation.require_features(crowd.feature_names)
    labels = fit.segmentation.assign_many(crowd.vectors)
    assert crowd.outcome is not None  # noqa: S101  # as `with_outcome` promises
    means = [
        (segment.id, float(crowd.outcome[labels == label].mean()))
        for label, segment in _labelled(fit)
        if (labels == label).any()
    ]
    said = f"spend in {days} days" if source.target is None else source.target
    cohort = Cohort(crowd.vectors, crowd.feature_names, crowd.outcome)

    def value_of(family: Family) -> float:
        found = family.fit(cohort, None, rng).labels(cohort.vectors)
        return future_value(found, cohort.needed_target()).eta_squared

    value = future_value(labels, crowd.outcome)
    return Worth(said, value, tuple(means), baseline_value(value_of))


def _movement(source: Source) -> Movement | None:
    if source.log is None:
        return None
    return latest_moves(source.log.moves(), source.log.latest() - timedelta(days=MOVED_DAYS))


def _labelled(fit: NamedFit) -> list[tuple[int, Segment]]:
    segments = fit.segmentation.segments
    return [(NOISE if one.id == NOISE_ID else i, one) for i, one in enumerate(segments)]


def _history(source: Source, fit: NamedFit) -> tuple[Past, ...]:
    until = fit.segmentation.version
    return tuple(
        Past(
            f"fit {one.version}",
            one.fitted_at,
            tuple((segment.id, segment.share) for segment in one.segmentation.segments),
        )
        for one in source.fits()
        if one.version <= until
    )

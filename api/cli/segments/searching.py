"""A search for a better segmentation, on a store or a file of visitors."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from api.cli.failing import settings_of
from api.cli.segments.source import NamedFit, Source
from api.segment_families import family_of
from api.settings import SegmentSettings
from api.storage.base import StoreError
from api.storage.visitor_log import Crowd
from segments.cluster.family import Cohort, Family
from segments.cluster.fitting import fit_segments
from segments.cluster.segmentation import Segmentation
from segments.evaluation.choice import Scored
from segments.evaluation.criteria import Criteria
from segments.evaluation.gate import Verdict
from segments.evaluation.search import Found, Periods, candidates, learns, search

CHURN_DAYS = 30
"""How long before the first period the visitors are looked at whom a refit might rename."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a search goes.

    Args:
        criteria: What a candidate has to hold.
        draws: Fits for the stability of each.
        told: Is called with each candidate as it is measured.
    """

    criteria: Criteria
    draws: int
    told: Callable[[Scored], None]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search came to.

    Args:
        found: The candidates, the winner, the verdict.
        fitted: The winner fitted on the visitors of now, under the names of the fit in use.
    """

    found: Found
    fitted: Segmentation


def settings_if_any(config: Path, source: Path | None) -> SegmentSettings:
    """`[segments]` of the configuration; its defaults where a source is named and it is missing."""
    if source is not None and not config.exists():
        return SegmentSettings()
    return settings_of(config).segments


@contextmanager
def following(n_candidates: int) -> Iterator[Callable[[Scored], None]]:
    """A progress bar on the error output, told of each candidate as it is measured."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=n_candidates)

        def told(one: Scored) -> None:
            progress.update(task, advance=1, description=escape(f"measured {one.name}"))

        yield told


def tried(source_names: Sequence[str], only: Sequence[str]) -> dict[str, Family]:
    """The candidates whose name contains one of some words.

    Raises:
        StoreError: None does.
    """
    every = candidates(source_names, neural=find_spec("torch") is not None)
    found = {
        name: family
        for name, family in every.items()
        if not only or any(word.casefold() in name.casefold() for word in only)
    }
    if not found:
        raise StoreError(f"--only {', '.join(only)}: must be part of {', '.join(every)}")
    return found


def searched(
    periods: Periods,
    now: Crowd,
    families: dict[str, Family],
    incumbent: NamedFit | None,
    terms: Terms,
    rng: np.random.Generator,
) -> Searched:
    """Searches, and fits the winner on the visitors of now.

    Raises:
        SegmentationError: The visitors lack what a candidate needs.
    """
    segmentation = None if incumbent is None else incumbent.segmentation
    found = search(
        families,
        periods,
        rng,
        terms.criteria,
        incumbent=None if segmentation is None else (segmentation, family_of(segmentation)),
        n_draws=terms.draws,
        told=terms.told,
    )
    cohort = periods.later if learns(found.family) else Cohort(now.vectors, now.feature_names)
    fitted = fit_segments(found.family, cohort, previous=segmentation, rng=rng)
    return Searched(found, fitted)


def periods_of(source: Source, days: int, rng: np.random.Generator) -> Periods:
    """Two periods of so many days and the visitors a month before; of a file, two halves of them.

    Raises:
        StoreError: The log is too short, or the file has no target column.
    """
    if source.log is None:
        crowd = source.with_outcome(days)
        cohort = _cohort(crowd)
        half = rng.permutation(len(cohort)) % 2
        first, later = (cohort.rows(np.flatnonzero(half == side)) for side in (0, 1))
        return Periods(first, later)
    end = source.log.latest() + timedelta(microseconds=1)  # the last event included
    length = timedelta(days=days)
    moments = [end - 2 * length - timedelta(days=CHURN_DAYS), end - 2 * length, end - length]
    crowds = source.log.crowds(moments, outcome_days=days)
    if len(crowds[1].visitors) < 2:
        raise StoreError(
            f"{source.path} knows nobody of {2 * days} days before its last event, where a search "
            "begins; choose fewer --outcome-days"
        )
    earlier = _cohort(crowds[0]) if crowds[0].visitors else None
    return Periods(_cohort(crowds[1]), _cohort(crowds[2]), earlier)


def of_search(found: Found, incumbent: str | None) -> Table:
    """A line a candidate, and one for the segmentation in use."""
    table = Table("candidate", title="measured on the first period")
    for head in ("segments", "mean ARI", "min ARI", "smallest", "noise", "model churn", "eta²"):
        table.add_column(head, justify="right")
    table.add_column("lacks")
    lines = [(one.name, one) for one in found.choice.scored]
    if found.choice.beside is not None:
        lines.append((f"in use: {incumbent}", found.choice.beside))
    for name, one in lines:
        shown = f"[bold]{escape(name)}[/]" if name == found.choice.chosen else escape(name)
        table.add_row(shown, *_cells(one), ", ".join(one.shortfalls))
    return table


def in_words(found: Found) -> list[str]:
    """The choice, and the gate's verdict."""
    choice, verdict = found.choice, found.verdict
    said = [f"{choice.chosen}: {choice.reason}."]
    if choice.baseline is not None:
        said.append(f"The better of RFM and past spend has an eta² of {choice.baseline:.3f}.")
    return [*said, _judged(verdict)]


def _judged(verdict: Verdict) -> str:
    beside = ""
    if verdict.incumbent is not None:
        beside = (
            f", the one in use {verdict.incumbent:.1%} (difference at worst {verdict.low:+.3f})"
        )
    outcome = "It may take over" if verdict.promoted else "It does not take over"
    return (
        f"Of the later period's variance it foresees {verdict.challenger:.1%}{beside}. "
        f"{outcome}: it {verdict.reason}."
    )


def _cells(one: Scored) -> list[str]:
    return [
        str(one.n_segments),
        f"{one.stability.ari_mean:.3f}",
        f"{one.stability.ari_min:.3f}",
        f"{one.separation.smallest:.1%}",
        f"{one.separation.noise:.0%}",
        "" if one.churn is None else f"{one.churn:.1%}",
        "" if one.eta_squared is None else f"{one.eta_squared:.3f}",
    ]


def _cohort(crowd: Crowd) -> Cohort:
    return Cohort(crowd.vectors, crowd.feature_names, crowd.outcome)

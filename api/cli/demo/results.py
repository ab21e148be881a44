"""What the demo found out, as values: scores of the policies, segments, speed.

Where it stands: the replay's tiles and the baskets in; what `printing.py` prints and `--json`
writes out.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from api.cli.demo.client import DemoError
from api.cli.demo.replay import Replayed
from simulator.replay.baskets import Baskets, LineCounts
from simulator.replay.intervals import Estimate, clustered_mean
from simulator.replay.references import hits_of, most_popular, own_favourite, random_hits

CAVEAT = (
    "This measures what a household buys, not what a tile caused: the baskets are history, "
    "nobody saw a tile, and a hit means only that the basket held the tile's category."
)
LEARNED = "learned"
FAVOURITE = "own favourite"


@dataclass(frozen=True, slots=True)
class Score:
    """Hit rate of one policy (or difference of two), over all baskets and their second half."""

    policy: str
    overall: Estimate
    second_half: Estimate


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """One segment, with the tile whose category is in most of its households' baskets."""

    id: str
    description: str
    size: int
    share: float
    value_cents: float | None
    n_baskets: int
    best_tile: str | None
    best_hit_rate: float | None


@dataclass(frozen=True, slots=True)
class Speed:
    """What the client saw; latencies include waiting behind the requests in flight."""

    n_decisions: int
    seconds: float
    decisions_per_second: float
    median_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Books:
    """Do client and service count the same hits? The service's come from the orders it read."""

    client_hits: int
    service_hits: float
    service_rewards: int
    defaults: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the demo prints."""

    n_households: int
    n_baskets: int
    lines: LineCounts
    tiles: tuple[str, ...]
    scores: tuple[Score, ...]
    difference: Score
    any_tile: float
    segments: tuple[SegmentResult, ...]
    speed: Speed
    books: Books
    policy_version: str
    database: str
    caveat: str = CAVEAT


def score_policies(
    baskets: Baskets, outcomes: npt.NDArray[np.bool_], shown: npt.NDArray[np.int64]
) -> tuple[tuple[Score, ...], Score]:
    """Score the service's tiles beside the references, and against the favourite.

    Args:
        baskets: What happened.
        outcomes: What each tile would have earned, shape (n_baskets, n_tiles).
        shown: Index of the tile that the service chose before each basket, shape (n_baskets,).

    Returns:
        A score for each policy, and that of the paired difference learned − favourite.
    """
    favourite = hits_of(outcomes, own_favourite(outcomes, baskets.households))
    learned = hits_of(outcomes, shown)
    hits = {
        LEARNED: learned,
        FAVOURITE: favourite,
        "most popular": hits_of(outcomes, most_popular(outcomes)),
        "uniformly random": random_hits(outcomes),
    }
    scores = tuple(_score(name, values, baskets) for name, values in hits.items())
    return scores, _score(f"{LEARNED} - {FAVOURITE}", learned - favourite, baskets)


def _score(policy: str, values: npt.NDArray[np.float64], baskets: Baskets) -> Score:
    second = baskets.second_half()
    return Score(
        policy,
        clustered_mean(values, baskets.households),
        clustered_mean(values[second], baskets.households[second]),
    )


def describe_segments(
    rows: Sequence[Mapping[str, Any]],
    segment_of: Mapping[int, str | None],
    baskets: Baskets,
    outcomes: npt.NDArray[np.bool_],
    tiles: Sequence[str],
) -> tuple[SegmentResult, ...]:
    """Join the service's segments with what would have worked best in each.

    Since every outcome is known, this is the real hit rate of each tile over all baskets of the
    households that are in the segment now, not an estimate from the decision log.

    Args:
        rows: `segments` of `GET /v1/segments`.
        segment_of: Segment of each household at the end, None where it has none.
        baskets: What happened.
        outcomes: Shape (n_baskets, n_tiles).
        tiles: Name of each tile.
    """
    of_basket = np.array([segment_of.get(int(one)) or "" for one in baskets.households])
    results = [_segment_result(row, outcomes[of_basket == row["id"]], tiles) for row in rows]
    return tuple(sorted(results, key=lambda result: -result.size))


def _segment_result(
    row: Mapping[str, Any], outcomes: npt.NDArray[np.bool_], tiles: Sequence[str]
) -> SegmentResult:
    rates = outcomes.mean(axis=0) if len(outcomes) else None
    return SegmentResult(
        id=row["id"],
        description=row["description"],
        size=row["size"],
        share=row["share"],
        value_cents=row.get("value_cents"),
        n_baskets=len(outcomes),
        best_tile=None if rates is None else tiles[int(rates.argmax())],
        best_hit_rate=None if rates is None else float(rates.max()),
    )


def measure_speed(replayed: Replayed) -> Speed:
    """Decisions per second of the whole replay, orders included, and the client's latencies."""
    median, p99 = np.percentile(replayed.latencies_s, [50, 99]) * 1000
    n_decisions = len(replayed.tiles)
    return Speed(
        n_decisions=n_decisions,
        seconds=replayed.seconds,
        decisions_per_second=n_decisions / replayed.seconds,
        median_ms=float(median),
        p99_ms=float(p99),
    )


def most_active(baskets: Baskets) -> int:
    """The household with most baskets: one worth looking at."""
    return int(Counter(baskets.households.tolist()).most_common(1)[0][0])


def check_books(books: Books) -> None:
    """Stop when the service counted other hits than the data holds.

    Raises:
        DemoError: The counts differ.
    """
    if round(books.service_hits) != books.client_hits:
        raise DemoError(
            f"the books do not balance: the service counted {books.service_hits:,.0f} hits, the "
            f"data holds {books.client_hits:,} for the tiles that it showed"
        )


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain data; an interval's end that does not exist is null."""
    return {"subject": "demo", **_without_nan(dataclasses.asdict(report))}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value

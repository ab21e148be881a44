"""What the actions of a placement earned in each segment, out of the decisions' log.

Beside the store, read only. A policy shows an action to those whom it expects to like it, so the
plain mean of what it earned flatters it; each decision is weighted by how unlikely it was.
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from api.loop.placement import CONTROL
from api.storage.base import StoreError
from api.storage.reading import reading

_EARNED = f"""
    WITH shown AS (
        SELECT d.segment, d.action_id, 1.0 / d.probability AS w,
               (SELECT total(r.value) FROM rewards r WHERE r.decision_id = d.decision_id) AS r
        FROM decisions d
        WHERE d.placement = :placement AND d.probability > 0 AND d.density IS NULL
          AND d.list_id IS NULL AND d.reason IS NULL
          AND coalesce(d.visitor_group, '') <> '{CONTROL}'
          AND d.closes_at_us <= (SELECT max(decided_at_us) FROM decisions))
    SELECT segment, action_id, count(*), sum(w), sum(w * r), sum(w * w), sum(w * w * r),
           sum(w * w * r * r)
    FROM shown GROUP BY segment, action_id"""  # noqa: S608  # a constant of our own


FEWEST_EFFECTIVE = 30.0
LEAST_REACH = 0.5


@dataclass(frozen=True, slots=True)
class Response:
    """What one action earned in one segment.

    Args:
        segment: Of the decisions; None for visitors who were in none.
        action: Its id.
        n_decisions: That showed it, and whose reward's window has closed.
        reward: Mean reward a decision, each weighted by 1 / probability: what showing the action to
            everybody in the segment is expected to earn.
        error: Its standard error; infinite with a single decision.
        n_effective: How many decisions of equal weight would tell as much, (Σ w)² / Σ w².
        reach: Share of the segment's decisions that those that showed it stand for, about 1 where
            each could have shown it. Where a policy would not, nothing is known.
    """

    segment: str | None
    action: str
    n_decisions: int
    reward: float
    error: float
    n_effective: float
    reach: float

    @property
    def is_told(self) -> bool:
        """Whether the log says anything of showing the action to everybody in the segment."""
        return self.n_effective >= FEWEST_EFFECTIVE and self.reach >= LEAST_REACH


def read_responses(path: Path, placement: str) -> tuple[Response, ...]:
    """Every action in every segment, by segment; the best first, and last those not told of.

    Decisions of lists, of prices out of a range, of the control group and defaults of a broken
    service are left out: their probability says nothing about the other actions.

    Raises:
        StoreError: There is no such store, or no decision of the placement.

    References:
        Swaminathan, Joachims. The Self-Normalized Estimator for Counterfactual Learning. NIPS 2015.
    """
    with reading(path) as connection:
        rows = connection.execute(_EARNED, {"placement": placement}).fetchall()
    if not rows:
        raise StoreError(
            f"{path} has no decision of placement {placement!r} whose reward's window has closed; "
            "name another placement, or wait"
        )
    sizes: Counter[str | None] = Counter()
    for row in rows:
        sizes[row[0]] += row[2]
    found = [_response(sizes[row[0]], *row) for row in rows]
    return tuple(
        sorted(found, key=lambda one: (one.segment or "", not one.is_told, -one.reward, one.action))
    )


def _response(
    n_segment: int, segment: str | None, action: str, n_decisions: int, *sums: float
) -> Response:
    """One group's row: the sums of w, w r, w², w² r and w² r² over its decisions."""
    w, wr, ww, wwr, wwrr = sums
    mean = wr / w
    variance = max(wwrr - 2.0 * mean * wwr + mean * mean * ww, 0.0) / (w * w)
    return Response(
        segment,
        action,
        n_decisions,
        mean,
        math.sqrt(variance) if n_decisions > 1 else math.inf,
        w * w / ww,
        w / n_segment,
    )

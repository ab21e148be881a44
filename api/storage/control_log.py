"""What the visitors of a placement with a holdout earned, one row a visitor.

Beside the store, which it never touches: a connection of its own that can only read, so that it may
be used while the service runs.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from api.loop.placement import CONTROL, TREATMENT
from api.storage.base import StoreError
from api.storage.reading import reading
from policy.lift.outcomes import Outcomes

_OF_GROUPS = "d.placement = :placement AND d.visitor_group IS NOT NULL"
FIRSTS = f"""
    firsts AS (
        SELECT d.visitor, min(d.decided_at_us) AS first_us, min(d.visitor_group) AS visitor_group,
               min(d.visitor_group) <> max(d.visitor_group) AS is_in_both
        FROM decisions d WHERE {_OF_GROUPS} GROUP BY d.visitor)"""  # noqa: S608  # as below
"""Of each visitor: when its first decision was, and in which group."""
_VISITORS = f"""
    WITH {FIRSTS},
    earned AS (
        SELECT d.visitor, sum((SELECT total(r.value) FROM rewards r
                               WHERE r.decision_id = d.decision_id)) AS outcome,
               max(CASE WHEN d.decided_at_us = f.first_us THEN d.segment END) AS segment
        FROM decisions d JOIN firsts f ON f.visitor = d.visitor
        WHERE {_OF_GROUPS} AND d.decided_at_us < f.first_us + :span_us GROUP BY d.visitor),
    known AS (
        SELECT f.visitor, count(*) AS n_events
        FROM events e JOIN firsts f ON f.visitor = e.visitor AND e.timestamp_us < f.first_us
        GROUP BY f.visitor)
    SELECT f.visitor_group, f.is_in_both,
           f.first_us + :span_us + :window_us <= (SELECT max(decided_at_us) FROM decisions),
           e.outcome, coalesce(k.n_events, 0), e.segment
    FROM firsts f JOIN earned e ON e.visitor = f.visitor LEFT JOIN known k ON k.visitor = f.visitor
    ORDER BY f.first_us, f.visitor"""  # noqa: S608  # conditions of our own


_Row = tuple[str, int, int, float, int, str | None]
"""Group, in both, days have passed, outcome, events before, segment at the first decision."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The visitors of both groups.

    Args:
        treated: What each earned within the span, and how much was known of it before (the
            logarithm of 1 + its events before its first decision).
        control: The same of the control group.
        n_treated: All treated visitors, also those whose span has yet to pass.
        n_control: All of the control group.
        n_in_both: Visitors who were in both, as after a new salt; left out.
    """

    treated: Outcomes
    control: Outcomes
    n_treated: int
    n_control: int
    n_in_both: int


def read_groups(path: Path, placement: str, span: timedelta, window: timedelta) -> Groups:
    """Both groups of a placement.

    Args:
        path: The store's file.
        placement: Its name.
        span: From a visitor's first decision there; what decisions within it earn counts.
        window: Of the reward: a visitor counts when span and window have passed.

    Raises:
        StoreError: There is no such store, or no decision with a group in it.
    """
    return _groups(_rows(path, placement, span, window))


def read_groups_by_segment(
    path: Path, placement: str, span: timedelta, window: timedelta
) -> tuple[tuple[str | None, Groups], ...]:
    """Both groups of each segment, the largest first; None for visitors who were in none.

    A visitor belongs to the segment of its first decision there: what decisions do to a visitor
    may change the segment later, and would then choose who is compared.

    Raises:
        StoreError: There is no such store, or no decision with a group in it.
    """
    rows: dict[str | None, list[_Row]] = defaultdict(list)
    for row in _rows(path, placement, span, window):
        rows[row[5]].append(row)
    ordered = sorted(rows.items(), key=lambda one: (-len(one[1]), one[0] or ""))
    return tuple((segment, _groups(theirs)) for segment, theirs in ordered)


def _rows(path: Path, placement: str, span: timedelta, window: timedelta) -> list[_Row]:
    microsecond = timedelta(microseconds=1)
    asked = {
        "placement": placement,
        "span_us": span // microsecond,
        "window_us": window // microsecond,
    }
    with reading(path) as connection:
        rows: list[_Row] = connection.execute(_VISITORS, asked).fetchall()
    if not rows:
        raise StoreError(
            f"{path} has no decision of placement {placement!r} with a group: set "
            "[placements.holdout], and decide"
        )
    return rows


def _groups(rows: list[_Row]) -> Groups:
    told = [row for row in rows if not row[1]]
    outcomes = {group: _outcomes(told, group) for group in (TREATMENT, CONTROL)}
    counts = {group: sum(row[0] == group for row in told) for group in (TREATMENT, CONTROL)}
    return Groups(
        outcomes[TREATMENT],
        outcomes[CONTROL],
        counts[TREATMENT],
        counts[CONTROL],
        len(rows) - len(told),
    )


def _outcomes(rows: list[_Row], group: str) -> Outcomes:
    mature = [row for row in rows if row[0] == group and row[2]]
    return Outcomes.of(
        np.array([row[3] for row in mature], np.float64),
        np.array([math.log1p(row[4]) for row in mature], np.float64),
    )

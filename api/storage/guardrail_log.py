"""What the visitors of a placement with a holdout returned, left as margin, or unsubscribed from.

Beside `api.storage.control_log`, whose visitors these are: read on a connection that can only read.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from api.loop.placement import CONTROL, TREATMENT
from api.storage.account import ERASED, REFUND
from api.storage.control_log import FIRSTS
from api.storage.orders import margin_at
from api.storage.reading import reading
from api.storage.trial import MARGIN, RETURNS, UNSUBSCRIBES
from policy.lift.outcomes import Outcomes

_WITH = f"""
    WITH {FIRSTS},
    own AS (
        SELECT d.decision_id, f.visitor
        FROM decisions d JOIN firsts f ON f.visitor = d.visitor
        WHERE d.placement = :placement AND d.visitor_group IS NOT NULL
          AND d.decided_at_us < f.first_us + :span_us)"""  # noqa: S608  # statements of our own
_MATURE = f"""{_WITH}
    SELECT f.visitor, f.visitor_group FROM firsts f
    WHERE NOT f.is_in_both
      AND f.first_us + :span_us + :window_us <= (SELECT max(decided_at_us) FROM decisions)
    ORDER BY f.first_us, f.visitor"""  # noqa: S608  # as above
_RETURNS = f"""{_WITH}
    SELECT o.visitor, count(DISTINCT r.decision_id)
    FROM own o JOIN rewards r ON r.decision_id = o.decision_id
    WHERE r.source = '{REFUND}' AND r.reward_id NOT LIKE '{ERASED}:%' GROUP BY o.visitor"""  # noqa: S608  # as above
_UNSUBSCRIBES = f"""{_WITH}
    SELECT f.visitor, 1 FROM firsts f WHERE EXISTS (
        SELECT 1 FROM events e WHERE e.name = 'Unsubscribed'
          AND e.visitor IN (SELECT f.visitor UNION SELECT alias FROM aliases
                            WHERE visitor = f.visitor)
          AND e.timestamp_us >= f.first_us
          AND e.timestamp_us < f.first_us + :span_us + :window_us)"""  # noqa: S608  # as above
_ORDERS = f"""{_WITH}
    SELECT DISTINCT o.visitor, e.seq, e.order_id
    FROM own o JOIN rewards r ON r.decision_id = o.decision_id
         JOIN events e ON e.seq = r.event_seq
    WHERE e.name = 'Order Completed'"""  # noqa: S608  # as above

Groups = tuple[dict[str, Outcomes], dict[str, Outcomes]]


def read_guardrails(
    path: Path, placement: str, span: timedelta, window: timedelta, metrics: Sequence[str]
) -> Groups:
    """Outcomes of each metric a visitor, of the treated and of the control group.

    Those of `control_log.read_groups`: `returns` are decisions whose reward a refund changed,
    `unsubscribes` is 1 for who unsubscribed, `margin` what the orders that rewarded it left.

    Args:
        path: The store's file.
        placement: Its name.
        span: From a visitor's first decision there; what came of decisions within it counts.
        window: Of the reward.
        metrics: Some of `METRICS`.

    Raises:
        StoreError: There is no such store.
    """
    microsecond = timedelta(microseconds=1)
    asked = {
        "placement": placement,
        "span_us": span // microsecond,
        "window_us": window // microsecond,
    }
    with reading(path) as connection:
        visitors: list[tuple[str, str]] = connection.execute(_MATURE, asked).fetchall()
        measured = {name: _MEASURES[name](connection, asked) for name in metrics}
    treated, control = (
        {
            name: Outcomes.of(
                np.array([of.get(one, 0.0) for one, own in visitors if own == group], np.float64)
            )
            for name, of in measured.items()
        }
        for group in (TREATMENT, CONTROL)
    )
    return treated, control


def _returns(connection: sqlite3.Connection, asked: Mapping[str, object]) -> dict[str, float]:
    return dict(connection.execute(_RETURNS, asked))


def _unsubscribes(connection: sqlite3.Connection, asked: Mapping[str, object]) -> dict[str, float]:
    return dict(connection.execute(_UNSUBSCRIBES, asked))


def _margins(connection: sqlite3.Connection, asked: Mapping[str, object]) -> dict[str, float]:
    margins: dict[str, float] = defaultdict(float)
    for visitor, seq, order_id in connection.execute(_ORDERS, asked).fetchall():
        margins[visitor] += margin_at(connection, seq, order_id)
    return margins


_MEASURES = {RETURNS: _returns, UNSUBSCRIBES: _unsubscribes, MARGIN: _margins}

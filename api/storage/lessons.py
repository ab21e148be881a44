"""Lessons: rewards joined with the decisions that earned them, as the learner reads them."""

import sqlite3
from typing import Any

from api.storage.base import LearningRow

# The control group's decisions are no choices of the policy: without a layout, as defaults.
_SELECT = """
    SELECT r.seq, d.placement, iif(d.visitor_group = 'control', NULL, d.layout),
           d.action_id, d.chosen, r.value, r.is_first, d.context, d.features,
           CASE WHEN r.is_first THEN 0.0 ELSE (
               SELECT total(e.value) FROM rewards e
               WHERE e.decision_id = r.decision_id AND e.seq < r.seq) END
    FROM rewards r JOIN decisions d ON d.decision_id = r.decision_id
    WHERE """


def lessons(connection: sqlite3.Connection, where: str, parameters: Any) -> list[LearningRow]:
    """Lessons in the order of the log.

    Args:
        connection: That may read.
        where: Condition on a reward `r` and its decision `d`, with order and limit, of our own
            making.
        parameters: What its question marks stand for.
    """
    return [LearningRow(*row) for row in connection.execute(_SELECT + where, parameters)]

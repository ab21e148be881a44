"""One person in the log: which rows are theirs, to be handed out or erased.

Functions of a connection. Rows are found on a connection of their own, which reads beside the
writer; what came in since is found again inside the writer's transaction.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from api.ingest.conversion import EVENT_JSON
from api.storage.base import LearningRow
from api.storage.lessons import lessons
from api.storage.subject import Person
from segments.event import Event
from segments.ownership import Ownership


def find(connection: sqlite3.Connection, visitor: str) -> Person:
    """Look through the log for a person.

    Args:
        connection: In a transaction, so that all of it is of one instant.
        visitor: Any id of theirs.
    """
    ownership = _fold(connection, lambda event, seq: True)
    visitor = ownership.resolve(visitor)
    ids = ownership.ids_of(visitor)
    others = _fold(connection, lambda event, seq: ownership.owner(event.visitor, seq) != visitor)
    links = [(alias, *link) for alias in ids if (link := others.link_of(alias)) is not None]
    decided_under = tuple(name for name in ids if ownership.owner(name) == visitor)
    return Person(
        visitor,
        ids,
        tuple(links),
        tuple(
            seq
            for seq, name in _events_under(connection, ids, after=0)
            if ownership.owner(name, seq) == visitor
        ),
        decisions_under(connection, decided_under),
        letters_naming(connection, ids, after=0),
        _about(connection, "answers", ids, after=0),
        _about(connection, "outbox", ids, after=0),
        decided_under,
        tuple(name for name in ids if ownership.resolve(name) == visitor),
        (
            _last(connection, "events"),
            _last(connection, "dead_letters"),
            _last(connection, "answers"),
            _last(connection, "outbox"),
        ),
    )


def since(connection: sqlite3.Connection, person: Person) -> Person | None:
    """The same person now; None where links changed meanwhile, and all is to be looked for again.

    Args:
        connection: In the writer's transaction.
        person: As found a little earlier.
    """
    after_event, after_letter, after_answer, after_notice = person.ends
    for _, event in _linking(connection, after_event):
        if {event.visitor, event.anonymous_id, event.previous_id} & set(person.ids):
            return None
    newer = _events_under(connection, person.current, after_event)
    return person._replace(
        events=(*person.events, *(seq for seq, _ in newer)),
        decisions=decisions_under(connection, person.decided_under),
        dead_letters=(
            *person.dead_letters,
            *letters_naming(connection, person.ids, after_letter),
        ),
        answers=(*person.answers, *_about(connection, "answers", person.ids, after_answer)),
        notices=(*person.notices, *_about(connection, "outbox", person.ids, after_notice)),
    )


def lessons_of(connection: sqlite3.Connection, person: Person) -> list[LearningRow]:
    """What the person's decisions taught."""
    where = "d.seq IN (SELECT value FROM json_each(?)) ORDER BY r.seq"
    return lessons(connection, where, (json.dumps(person.decisions),))


def lessons_of_others(
    connection: sqlite3.Connection, person: Person, placement: str, after: int, limit: int
) -> list[LearningRow]:
    """The next lessons of a placement that are of anybody else."""
    where = """d.placement = ? AND r.seq > ?
               AND d.seq NOT IN (SELECT value FROM json_each(?)) ORDER BY r.seq LIMIT ?"""
    parameters = (placement, after, json.dumps(person.decisions), limit)
    return lessons(connection, where, parameters)


def decisions_under(connection: sqlite3.Connection, ids: tuple[str, ...]) -> tuple[int, ...]:
    """Places in the log of the decisions that stand under some ids."""
    row = connection.execute("SELECT data FROM state WHERE key = 'indexed_through'").fetchone()
    sql = """SELECT seq FROM decisions_of_visitor
             WHERE visitor IN (SELECT value FROM json_each(:ids))
             UNION
             SELECT seq FROM decisions WHERE seq > :through
               AND visitor IN (SELECT value FROM json_each(:ids)) ORDER BY 1"""
    parameters = {"ids": json.dumps(ids), "through": int(row[0]) if row else 0}
    return tuple(seq for (seq,) in connection.execute(sql, parameters))


def letters_naming(
    connection: sqlite3.Connection, ids: tuple[str, ...], after: int
) -> tuple[int, ...]:
    """Places of the dead letters in which one of the ids is a value."""
    inside = _inside(ids)
    sql = """SELECT seq, body FROM dead_letters WHERE seq > ? AND EXISTS (
                 SELECT 1 FROM json_each(?) WHERE instr(body, value))"""
    rows = connection.execute(sql, (after, inside))
    return tuple(seq for seq, body in rows if _names(body, frozenset(ids)))


def _about(
    connection: sqlite3.Connection, table: str, ids: tuple[str, ...], after: int
) -> tuple[int, ...]:
    """Places of what was told, rows about somebody, or with one of the ids in them."""
    said = {"answers": "CAST(answer AS TEXT)", "outbox": "body"}[table]
    sql = f"""SELECT seq FROM {table} WHERE seq > :after AND (
                  visitor IN (SELECT value FROM json_each(:ids)) OR EXISTS (
                      SELECT 1 FROM json_each(:inside) WHERE instr({said}, value)))"""  # noqa: S608  # our own
    parameters = {"after": after, "ids": json.dumps(ids), "inside": _inside(ids)}
    return tuple(seq for (seq,) in connection.execute(sql, parameters))


def _inside(ids: tuple[str, ...]) -> str:
    """The ids as they stand in JSON."""
    return json.dumps([json.dumps(name, ensure_ascii=False)[1:-1] for name in ids])


def _names(body: str, ids: frozenset[str]) -> bool:
    """Whether an id is among the values of a message; of one that was cut, it may be part of."""
    try:
        left = [json.loads(body)]
    except ValueError:
        return True
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif str(value) in ids:
            return True
    return False


def _fold(connection: sqlite3.Connection, takes: Callable[[Event, int], bool]) -> Ownership:
    ownership = Ownership()
    for seq, event in _linking(connection):
        if takes(event, seq):
            ownership.observe(event, seq)
    return ownership


def _linking(connection: sqlite3.Connection, after: int = 0) -> Iterator[tuple[int, Event]]:
    sql = """SELECT seq, body FROM events
             WHERE seq > ? AND name IN ('Identified', 'Aliased') ORDER BY seq"""
    for seq, body in connection.execute(sql, (after,)):
        with contextlib.suppress(ValidationError):  # it was never folded either
            yield seq, EVENT_JSON.validate_json(body)


def _events_under(
    connection: sqlite3.Connection, ids: tuple[str, ...], after: int
) -> list[tuple[int, str]]:
    sql = """SELECT seq, visitor FROM events
             WHERE seq > ? AND visitor IN (SELECT value FROM json_each(?)) ORDER BY seq"""
    return connection.execute(sql, (after, json.dumps(ids))).fetchall()


def _last(connection: sqlite3.Connection, table: str) -> int:
    sql = f"SELECT coalesce(max(seq), 0) FROM {table}"  # noqa: S608  # our own
    return int(connection.execute(sql).fetchone()[0])


TOLD = {
    "events": """
        SELECT seq, received_at_us, body FROM events
        WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq""",
    "decisions": """
        SELECT decision_id, visitor, placement, decided_at_us, policy_version, segment, action_id,
               probability, reason, reasons, candidates, visitor_group, kind, channel, price_cents,
               price_of, list_id, slot
        FROM decisions WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq""",
    "rewards": """
        SELECT reward_id, decision_id, value, source, received_at_us FROM rewards
        WHERE decision_id IN (SELECT decision_id FROM decisions
                              WHERE seq IN (SELECT value FROM json_each(?))) ORDER BY seq""",
    "transitions": """
        SELECT visitor, grouping, source, target, at_us, cause FROM transitions
        WHERE visitor IN (SELECT value FROM json_each(?)) ORDER BY seq""",
    "dead_letters": """
        SELECT received_at_us, field, rule, body FROM dead_letters
        WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq""",
}
"""What a person is told of each table; not what the policy computed from it."""


def rows(connection: sqlite3.Connection, person: Person) -> dict[str, list[dict[str, Any]]]:
    """Everything that the log holds of a person, by table, in the order of the log."""
    chosen: dict[str, tuple[int, ...] | tuple[str, ...]] = {
        "events": person.events,
        "decisions": person.decisions,
        "rewards": person.decisions,
        "transitions": person.decided_under,
        "dead_letters": person.dead_letters,
    }
    found = {}
    for table, sql in TOLD.items():
        cursor = connection.execute(sql, (json.dumps(chosen[table]),))
        names = [column[0] for column in cursor.description]
        found[table] = [dict(zip(names, row, strict=True)) for row in cursor]
    return found

"""Erasure: one person's rows out of the log, in one transaction with its receipt.

Functions of a connection that run inside the writer's transaction. What is left behind names
nobody: of each erased id a hash, under a key of this store's own, so that events from before the
erasure are known when they come again.
"""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Sequence

from api.storage.account import ERASED, REFUND, Entry, accounts, post
from api.storage.base import Specs
from api.storage.person import since
from api.storage.subject import Person, Receipt, Relearned
from api.storage.windows import PLAIN

KEY = "erasure_key"
KEY_BYTES = 32


def key_of(connection: sqlite3.Connection) -> bytes:
    """The key that hashes of ids are made with; made at the first time."""
    row = connection.execute("SELECT data FROM state WHERE key = ?", (KEY,)).fetchone()
    if row is not None:
        return bytes(row[0])
    key = secrets.token_bytes(KEY_BYTES)
    connection.execute("INSERT INTO state VALUES (?, ?)", (KEY, key))
    return key


def hash_of(key: bytes, visitor: str) -> bytes:
    """What is kept of an erased id, 16 bytes.

    Example:
        >>> hash_of(b"key", "ann") == hash_of(b"another", "ann")
        False
    """
    text = visitor.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16, key=key).digest()


def receipt_of(connection: sqlite3.Connection, visitor: str) -> Receipt | None:
    """The latest receipt of an id; None where it was never erased."""
    sql = """SELECT e.receipt_id, e.erased_at_us, e.report FROM suppressions s
             JOIN erasures e ON e.receipt_id = s.receipt_id WHERE s.id_hash = ?"""
    row = connection.execute(sql, (hash_of(key_of(connection), visitor),)).fetchone()
    return None if row is None else Receipt(row[0], row[1], **json.loads(row[2]))


def erase(
    connection: sqlite3.Connection,
    person: Person,
    asked: str,
    models: Sequence[Relearned],
    now_us: int,
    specs: Specs,
) -> Receipt | None:
    """Take a person out of every table.

    Args:
        connection: In the writer's transaction.
        person: As found a little earlier.
        asked: The id that was asked for; it may be one that nobody ever heard of.
        models: Of each placement that learned from the person.
        now_us: When.
        specs: Reward definition of each placement.

    Returns:
        None where the person's ids changed meanwhile: look again, nothing was done.
    """
    current = since(connection, person)
    if current is None:
        return None
    rows = _delete(connection, current)
    _take_back(connection, current, specs, now_us)
    for model in models:
        connection.execute(
            "DELETE FROM models WHERE placement = ?1 AND ?2 IN ('', policy)",
            (model.placement, model.policy),
        )
        if model.data is not None:
            saved = (model.placement, model.policy, model.learned_through, now_us, model.data)
            connection.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?)", saved)
    # Of several policies of a placement, what the dearest took: in doubt not "removed".
    how = {one.placement: one.how for one in sorted(models, key=lambda one: one.how != "removed")}
    receipt = Receipt(secrets.token_hex(16), now_us, rows, how)
    _record(connection, receipt, {asked, *current.current})
    return receipt


_STEPS = (
    (
        "settlements",
        """DELETE FROM settlements WHERE decision_id IN (
               SELECT decision_id FROM decisions
               WHERE seq IN (SELECT value FROM json_each(:decisions)))""",
    ),
    (
        "rewards",
        """DELETE FROM rewards WHERE decision_id IN (
               SELECT decision_id FROM decisions
               WHERE seq IN (SELECT value FROM json_each(:decisions)))""",
    ),
    (
        "decisions",
        "DELETE FROM decisions WHERE seq IN (SELECT value FROM json_each(:decisions))",
    ),
    ("events", "DELETE FROM events WHERE seq IN (SELECT value FROM json_each(:events))"),
    (
        "dead_letters",
        "DELETE FROM dead_letters WHERE seq IN (SELECT value FROM json_each(:dead_letters))",
    ),
    ("answers", "DELETE FROM answers WHERE seq IN (SELECT value FROM json_each(:answers))"),
    ("outbox", "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(:notices))"),
    (
        "exposures",
        "DELETE FROM exposures WHERE visitor IN (SELECT value FROM json_each(:decided_under))",
    ),
    ("habits", "DELETE FROM habits WHERE visitor IN (SELECT value FROM json_each(:ids))"),
    (
        "memberships",
        "DELETE FROM memberships WHERE visitor IN (SELECT value FROM json_each(:decided_under))",
    ),
    (
        "transitions",
        "DELETE FROM transitions WHERE visitor IN (SELECT value FROM json_each(:decided_under))",
    ),
    ("profiles", "DELETE FROM profiles WHERE visitor IN (SELECT value FROM json_each(:current))"),
    ("aliases", "DELETE FROM aliases WHERE alias IN (SELECT value FROM json_each(:ids))"),
)
_UNINDEX = """DELETE FROM decisions_of_visitor
              WHERE visitor IN (SELECT value FROM json_each(:decided_under))
                AND seq IN (SELECT value FROM json_each(:decisions))"""


def _delete(connection: sqlite3.Connection, person: Person) -> dict[str, int]:
    chosen = {
        name: json.dumps(getattr(person, name))
        for name in Person._fields
        if name not in ("visitor", "links", "ends")
    }
    connection.execute(_UNINDEX, chosen)
    rows = {table: connection.execute(sql, chosen).rowcount for table, sql in _STEPS}
    connection.executemany("INSERT INTO aliases VALUES (?, ?, ?)", person.links)
    return rows


def _take_back(connection: sqlite3.Connection, person: Person, specs: Specs, now_us: int) -> None:
    """What the person's purchases earned decisions of others, on a device that they shared."""
    events = json.dumps(person.events)
    where = """d.decision_id IN (SELECT decision_id FROM rewards
                   WHERE event_seq IN (SELECT value FROM json_each(?)))"""
    for account in accounts(connection, where, (events,)):
        spec = specs.get(account.placement, PLAIN)
        closed = account.closes_at_us <= now_us
        for seq in account.earnings.keys() & set(person.events):
            account.earnings[seq] = None
            entry = Entry(f"{ERASED}:{seq}:{account.decision_id}", REFUND, now_us, seq)
            post(connection, account, spec, entry, closed=closed)
    # Their ids are made of those of orders and messages.
    connection.execute(
        """UPDATE rewards SET reward_id = ? || ':row:' || seq
           WHERE event_seq IN (SELECT value FROM json_each(?))""",
        (ERASED, events),
    )


def _record(connection: sqlite3.Connection, receipt: Receipt, ids: set[str]) -> None:
    report = json.dumps({"rows": receipt.rows, "models": receipt.models})
    values = (receipt.receipt_id, receipt.erased_at_us, report)
    connection.execute("INSERT INTO erasures VALUES (?, ?, ?)", values)
    key = key_of(connection)
    connection.executemany(
        "INSERT OR REPLACE INTO suppressions VALUES (?, ?, ?)",
        [(hash_of(key, name), receipt.erased_at_us, receipt.receipt_id) for name in sorted(ids)],
    )

"""The schema of the store, as named steps that are applied once each.

Released steps are never edited: a change of the schema is a new step at the end.
"""

from sqlite_utils import Database, Migrations

from api.storage.base import StoreError

migrations = Migrations("segue")


@migrations()
def log_of_events_decisions_and_rewards(db: Database) -> None:
    """The append-only log (idea 1 of the design): every row keeps its place by `seq`."""
    for statement in (
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY,
            message_id TEXT NOT NULL UNIQUE,
            visitor TEXT NOT NULL,
            name TEXT NOT NULL,
            timestamp_us INTEGER NOT NULL,
            received_at_us INTEGER NOT NULL,
            body TEXT NOT NULL
        )""",
        """CREATE TABLE layouts (
            layout INTEGER PRIMARY KEY,
            fingerprint TEXT NOT NULL UNIQUE,
            names TEXT NOT NULL
        )""",
        """CREATE TABLE decisions (
            seq INTEGER PRIMARY KEY,
            decision_id TEXT NOT NULL UNIQUE,
            visitor TEXT NOT NULL,
            placement TEXT NOT NULL,
            decided_at_us INTEGER NOT NULL,
            closes_at_us INTEGER NOT NULL,
            policy_version TEXT NOT NULL,
            layout INTEGER REFERENCES layouts (layout),
            segment TEXT,
            action_id TEXT NOT NULL,
            match_value TEXT,
            chosen INTEGER NOT NULL,
            probability REAL NOT NULL,
            reason TEXT,
            candidates TEXT NOT NULL,
            probabilities BLOB NOT NULL,
            context BLOB,
            features BLOB
        )""",
        # An index on the visitor would touch a page of its own for every decision; this table is
        # one that is filled now and then, many rows at once (`api.storage.ledger`).
        """CREATE TABLE decisions_of_visitor (
            visitor TEXT NOT NULL,
            closes_at_us INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (visitor, closes_at_us, seq)
        ) WITHOUT ROWID""",
        "CREATE INDEX decisions_by_close ON decisions (closes_at_us)",
        """CREATE TABLE rewards (
            seq INTEGER PRIMARY KEY,
            reward_id TEXT NOT NULL UNIQUE,
            decision_id TEXT NOT NULL REFERENCES decisions (decision_id),
            value REAL NOT NULL,
            is_first INTEGER NOT NULL,
            source TEXT NOT NULL,
            received_at_us INTEGER NOT NULL
        )""",
        "CREATE INDEX rewards_of_decision ON rewards (decision_id)",
        """CREATE TABLE dead_letters (
            seq INTEGER PRIMARY KEY,
            received_at_us INTEGER NOT NULL,
            field TEXT NOT NULL,
            value TEXT NOT NULL,
            rule TEXT NOT NULL,
            body TEXT NOT NULL
        )""",
    ):
        db.execute(statement)


@migrations()
def snapshots_of_what_is_folded(db: Database) -> None:
    """Profiles, models and segmentations: each row says how far into the log it reaches."""
    for statement in (
        """CREATE TABLE profiles (
            visitor TEXT PRIMARY KEY,
            seq INTEGER NOT NULL,
            data BLOB NOT NULL
        )""",
        """CREATE TABLE aliases (
            alias TEXT PRIMARY KEY,
            visitor TEXT NOT NULL,
            seq INTEGER NOT NULL
        )""",
        """CREATE TABLE models (
            placement TEXT NOT NULL,
            learned_through INTEGER NOT NULL,
            saved_at_us INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (placement, learned_through)
        )""",
        """CREATE TABLE segmentations (
            version INTEGER PRIMARY KEY,
            fitted_at_us INTEGER NOT NULL,
            data BLOB NOT NULL
        )""",
        "CREATE TABLE state (key TEXT PRIMARY KEY, data BLOB NOT NULL)",
    ):
        db.execute(statement)


@migrations()
def rewards_know_their_event(db: Database) -> None:
    """Refunds and aggregation: a reward names its event and what that is worth by itself.

    `event_seq` is the conversion that a reward or its correction is about; `worth` is what that, or
    a report, counts for on its own, null for nothing; `value` is what the row changes. Orders and
    their refunds are found by `order_id`.
    """
    for statement in (
        "ALTER TABLE events ADD COLUMN order_id TEXT",
        """UPDATE events SET order_id = json_extract(body, '$.order_id')
           WHERE name IN ('Order Completed', 'Order Refunded', 'Order Cancelled')""",
        "CREATE INDEX events_of_order ON events (order_id) WHERE order_id IS NOT NULL",
        "ALTER TABLE rewards ADD COLUMN event_seq INTEGER REFERENCES events (seq)",
        "ALTER TABLE rewards ADD COLUMN worth REAL",
        "UPDATE rewards SET worth = value WHERE source IN ('event', 'explicit')",
        # Their ids are event:message:MESSAGE:DECISION and event:order:ORDER:DECISION.
        """UPDATE rewards SET event_seq = (
               SELECT seq FROM events WHERE message_id =
                   substr(reward_id, 15, length(reward_id) - 15 - length(decision_id)))
           WHERE reward_id LIKE 'event:message:%'""",
        """UPDATE rewards SET event_seq = (
               SELECT min(seq) FROM events WHERE name = 'Order Completed' AND order_id =
                   substr(reward_id, 13, length(reward_id) - 13 - length(decision_id)))
           WHERE reward_id LIKE 'event:order:%'""",
    ):
        db.execute(statement)


@migrations()
def decisions_say_who_was_refused_and_what_was_shown(db: Database) -> None:
    """Rules: why candidates were refused, the control group, and what exposures are counted by."""
    for statement in (
        "ALTER TABLE decisions ADD COLUMN reasons TEXT",
        "ALTER TABLE decisions ADD COLUMN visitor_group TEXT",
        "ALTER TABLE decisions ADD COLUMN kind TEXT",
        "ALTER TABLE decisions ADD COLUMN channel TEXT",
        "ALTER TABLE decisions ADD COLUMN price_cents INTEGER",
        "ALTER TABLE decisions ADD COLUMN price_of TEXT",
        """CREATE TABLE exposures (
            visitor TEXT PRIMARY KEY,
            data BLOB NOT NULL
        )""",
    ):
        db.execute(statement)


@migrations()
def decisions_belong_to_lists(db: Database) -> None:
    """Several slots of one answer: a decision for each, under the id of their list."""
    db.execute("ALTER TABLE decisions ADD COLUMN list_id TEXT")
    db.execute("ALTER TABLE decisions ADD COLUMN slot TEXT")


@migrations()
def decisions_know_the_density_of_a_price(db: Database) -> None:
    """A price drawn out of a range: the density at it, per cent; null for everything else."""
    db.execute("ALTER TABLE decisions ADD COLUMN density REAL")


@migrations()
def decisions_are_found_by_their_list(db: Database) -> None:
    """A client that names a list is told of its decisions."""
    db.execute("CREATE INDEX decisions_of_list ON decisions (list_id) WHERE list_id IS NOT NULL")


@migrations()
def places_in_the_log_are_never_given_again(db: Database) -> None:
    """Rows may go: by erasure, or when they are old. What says how far it read must stay true."""
    for table in ("events", "decisions", "rewards", "dead_letters"):
        ((sql,),) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchall()
        indexes = db.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql NOT NULL",
            (table,),
        ).fetchall()
        before, after = "seq INTEGER PRIMARY KEY", "seq INTEGER PRIMARY KEY AUTOINCREMENT"
        columns = sql[sql.index("(") :].replace(before, after, 1)
        db.execute(f"CREATE TABLE kept_{table} {columns}")
        db.execute(f"INSERT INTO kept_{table} SELECT * FROM {table}")  # noqa: S608  # names of our own
        db.execute(f"DROP TABLE {table}")
        db.execute(f"ALTER TABLE kept_{table} RENAME TO {table}")
        for (index,) in indexes:
            db.execute(index)


@migrations()
def decisions_know_whose_key_asked(db: Database) -> None:
    """Only keys of the same owner may report about a decision."""
    db.execute("ALTER TABLE decisions ADD COLUMN owner TEXT")


@migrations()
def rewards_are_found_by_their_event(db: Database) -> None:
    """Whether an event may go: not while a reward is about it."""
    db.execute("CREATE INDEX rewards_of_event ON rewards (event_seq) WHERE event_seq IS NOT NULL")


@migrations()
def erasures_and_what_they_suppress(db: Database) -> None:
    """Receipts, which name nobody, and keyed hashes of the ids that were erased."""
    db.execute(
        """CREATE TABLE erasures (
            receipt_id TEXT PRIMARY KEY,
            erased_at_us INTEGER NOT NULL,
            report TEXT NOT NULL
        )"""
    )
    db.execute(
        """CREATE TABLE suppressions (
            id_hash BLOB PRIMARY KEY,
            erased_at_us INTEGER NOT NULL,
            receipt_id TEXT NOT NULL
        ) WITHOUT ROWID"""
    )


@migrations()
def decisions_log_their_costs_and_orders_settle_them(db: Database) -> None:
    """Budgets and inventories: what candidates cost, and what orders came to use of what was held.

    `decisions_through` is the last decision before the settlement: with it, both are one log.
    """
    for statement in (
        "ALTER TABLE decisions ADD COLUMN costs BLOB",
        """CREATE TABLE settlements (
            seq INTEGER PRIMARY KEY,
            order_key TEXT NOT NULL,
            decision_id TEXT NOT NULL UNIQUE REFERENCES decisions (decision_id),
            action_id TEXT NOT NULL,
            units INTEGER NOT NULL,
            cents INTEGER,
            at_us INTEGER NOT NULL,
            decisions_through INTEGER NOT NULL
        )""",
        "CREATE INDEX settlements_of_order ON settlements (order_key)",
    ):
        db.execute(statement)


@migrations()
def answers_to_keyed_requests(db: Database) -> None:
    """`Idempotency-Key`: what a request was answered; null while it is being worked on."""
    db.execute(
        """CREATE TABLE answers (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            name BLOB NOT NULL UNIQUE,
            fingerprint BLOB NOT NULL,
            answered_at_us INTEGER NOT NULL,
            answer BLOB,
            visitor TEXT
        )"""
    )


@migrations()
def outbox_of_webhooks(db: Database) -> None:
    """What endpoints are to be told: one row for each endpoint and message."""
    for statement in (
        """CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            type TEXT NOT NULL,
            body TEXT NOT NULL,
            visitor TEXT,
            created_at_us INTEGER NOT NULL,
            status TEXT NOT NULL DEFAULT 'waiting',
            tries INTEGER NOT NULL DEFAULT 0,
            due_at_us INTEGER NOT NULL,
            error TEXT
        )""",
        "CREATE INDEX outbox_due ON outbox (endpoint, due_at_us) WHERE status = 'waiting'",
    ):
        db.execute(statement)


def unknown_steps(db: Database) -> list[str]:
    """Steps that a newer version of the service applied."""
    known = {step.name for step in migrations.pending(Database(memory=True))}
    return [step.name for step in migrations.applied(db) if step.name not in known]


def migrate(db: Database) -> None:
    """Bring the schema up to date, each step in one transaction with its record.

    Raises:
        StoreError: When the file was written by a newer version of the service.
    """
    unknown = unknown_steps(db)
    if unknown:
        raise StoreError(
            f"the database has the schema step {unknown[0]!r}, which this version does not know: "
            "it was written by a newer version; install that version, or restore a backup"
        )
    migrations.apply(db)

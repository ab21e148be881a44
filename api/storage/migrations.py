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


def migrate(db: Database) -> None:
    """Bring the schema up to date, each step in one transaction with its record.

    Raises:
        StoreError: When the file was written by a newer version of the service.
    """
    known = {step.name for step in migrations.pending(Database(memory=True))}
    unknown = [step.name for step in migrations.applied(db) if step.name not in known]
    if unknown:
        raise StoreError(
            f"the database has the schema step {unknown[0]!r}, which this version does not know: "
            "it was written by a newer version; install that version, or restore a backup"
        )
    migrations.apply(db)

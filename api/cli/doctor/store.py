"""The store: its file, its pages, its schema, its times, and the models in it."""

import sqlite3
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from api.cli.doctor.finding import Finding
from api.loop.placement import Placement, build_placements
from api.loop.policies import Names, policy_of_spec
from api.loop.snapshot import check_fits
from api.settings import Settings
from api.storage.base import StoreError
from api.storage.lock import holder_of
from api.storage.migrations import pending_steps, refuse_newer
from api.storage.reading import reading
from api.storage.records import LATEST_MODEL
from api.storage.sqlite import SYNCHRONOUS
from policy import model_file
from policy.errors import PolicyError
from policy.ppo.network import KIND as PPO
from policy.saved import load_policy

LARGE_WAL = 128 * 2**20
AHEAD_SECONDS = 60.0
LATE_SNAPSHOTS = 10
LEAST_LATE_SECONDS = 60.0
MANY_ROWS = 1_000_000
WRITTEN = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
KEEPS = {
    "power-loss": "an answer survives a power cut",
    "crash": "an answer survives the process, and not a power cut",
}
RESTORE = "restore a backup: segue restore FILE --force"


def check_store(settings: Settings, full: bool, now: float | None = None) -> Iterator[Finding]:
    """Look at the file without changing it.

    Args:
        settings: Name the file.
        full: Read every page and index, not only the structure.
        now: Seconds since 1970, instead of the clock's.
    """
    now = time.time() if now is None else now
    path = settings.service.database.resolve()
    if not path.exists():
        yield Finding("store", "ok", f"{path} does not exist yet: the first start makes it")
        return
    yield from _check_file(path)
    try:
        with reading(path) as connection:
            sound = list(_check_pages(connection, full))
            yield from sound
            if any(one.status == "fail" for one in sound):
                return
            yield from _check_schema(connection, settings.service.durability)
            yield from _check_times(connection, settings.service.clock, now)
            yield from _check_models(connection, settings, now)
    except StoreError as error:
        yield Finding("store", "fail", str(error), RESTORE)


def _check_file(path: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o007:
        told = f"anybody on this machine can read {path.name} (mode {mode:o})"
        yield Finding("store.permissions", "warn", told, f"chmod 600 {path}*")
    else:
        yield Finding("store.permissions", "ok", f"mode {mode:o}")
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    told = f"{size / 2**20:,.1f} MB wait in the write-ahead log"
    if size > LARGE_WAL:
        remedy = "end whoever has been reading the file for long; it is folded in after that"
        yield Finding("store.wal", "warn", told, remedy)
    else:
        yield Finding("store.wal", "ok", told)


def _check_pages(connection: sqlite3.Connection, full: bool) -> Iterator[Finding]:
    check = "integrity_check" if full else "quick_check"
    try:
        problems = [row[0] for row in connection.execute(f"PRAGMA {check}(3)")]
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    if problems == ["ok"]:
        what = "every page and index" if full else "every page (indexes with --full)"
        yield Finding("store.integrity", "ok", f"{what} is sound")
    else:
        found = "; ".join(" ".join(problem.split()) for problem in problems)
        yield Finding("store.integrity", "fail", f"damaged: {found:.200}", RESTORE)


def _check_schema(connection: sqlite3.Connection, durability: str) -> Iterator[Finding]:
    database = Database(connection)
    refuse_newer(database)
    pending = pending_steps(database)
    if pending:
        told = f"{len(pending)} schema steps are new, from {pending[0]!r} on"
        yield Finding("store.schema", "warn", told, "make a backup; the next start applies them")
    else:
        yield Finding("store.schema", "ok", "of this version")
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    told = f"{durability} (synchronous {SYNCHRONOUS[durability]}): {KEEPS[durability]}"
    if mode == "wal" or durability == "crash":
        yield Finding("store.durability", "ok", told)
    else:  # as a restored backup is until it is opened
        yield Finding("store.durability", "ok", f"{told}; the next start sets journal mode WAL")


def _check_times(connection: sqlite3.Connection, clock: str, now: float) -> Iterator[Finding]:
    if now < WRITTEN:
        told = f"it is {datetime.fromtimestamp(now, UTC):%Y-%m-%d} by the clock of this machine"
        yield Finding("clock", "fail", told, "set the clock, and let NTP keep it")
        return
    if clock == "replay":
        told = "service.clock is replay: time is what requests say"
        yield Finding("clock", "warn", told, "for past data only; else leave it out")
        return
    last = max(_last(connection, "decisions", "decided"), _last(connection, "events", "received"))
    if last - now > AHEAD_SECONDS:
        told = f"the last row of the log is {last - now:,.0f} s ahead of the clock: it went back"
        remedy = "set the clock; until then time goes on at half speed"
        yield Finding("clock", "fail", told, remedy)
    else:
        yield Finding("clock", "ok", "not behind the log")


def _last(connection: sqlite3.Connection, table: str, what: str) -> float:
    sql = f"SELECT {what}_at_us FROM {table} ORDER BY seq DESC LIMIT 1"  # noqa: S608  # names of our own
    row = connection.execute(sql).fetchone()
    return row[0] / 1e6 if row else 0.0


def _check_models(
    connection: sqlite3.Connection, settings: Settings, now: float
) -> Iterator[Finding]:
    runs = holder_of(settings.service.database) is not None
    for placement in build_placements(settings).values():
        check = f"model.{placement.name}"
        learned_through, finding = _load(connection, placement, check)
        yield finding
        yield _lag(connection, placement.name, learned_through, runs, settings, now)


def _load(connection: sqlite3.Connection, placement: Placement, check: str) -> tuple[int, Finding]:
    row = connection.execute(LATEST_MODEL, (placement.name,)).fetchone()
    if row is None:
        return 0, Finding(check, "ok", "nothing was learned yet")
    try:
        n_rewarded = _revived(placement, row[1])
    except PolicyError as error:
        told = f"the saved model is not for this configuration or damaged: {error}"
        return 0, Finding(check, "warn", told, "the next start learns it again from the log")
    told = f"loads; {n_rewarded:,} decisions learned from"
    return int(row[0]), Finding(check, "ok", told)


def _revived(placement: Placement, data: bytes) -> int:
    """Load the model of the policy that decides; returns how many decisions it learned from.

    Raises:
        PolicyError: It is damaged, or of other features.
    """
    manifest, arrays = model_file.load(data)
    check_fits(placement, manifest)
    if manifest["kind"] == PPO:
        load_policy(data, placement.names["context"], placement.names["features"])
    else:
        spec = manifest.get("parameters")
        policy = policy_of_spec(spec if isinstance(spec, dict) else {}, Names(**placement.names))
        policy.load_state(manifest, arrays)
    return int(str(manifest["n_rewarded"]))


def _lag(
    connection: sqlite3.Connection,
    name: str,
    learned_through: int,
    runs: bool,
    settings: Settings,
    now: float,
) -> Finding:
    sql = """SELECT count(*), min(r.received_at_us) FROM rewards r
             JOIN decisions d ON d.decision_id = r.decision_id
             WHERE r.seq > ? AND d.placement = ?"""
    n_rows, oldest_us = connection.execute(sql, (learned_through, name)).fetchone()
    check, told = f"learner.{name}", f"{n_rows:,} rewards are not in the saved model"
    late = max(LATE_SNAPSHOTS * settings.service.snapshot_seconds, LEAST_LATE_SECONDS)
    if runs and n_rows and settings.service.clock == "system" and now - oldest_us / 1e6 > late:
        age = f"{now - oldest_us / 1e6:,.0f} s"
        remedy = "see its log for learning_failed or snapshots_not_saved"
        return Finding(check, "fail", f"{told}, the first for {age}: learning stands still", remedy)
    if n_rows > MANY_ROWS:
        remedy = "the next start takes long: let the service run until it saved, then stop it"
        return Finding(check, "warn", told, remedy)
    return Finding(check, "ok", told)

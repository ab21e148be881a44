"""The machine: libraries, the user, limits, the port, the place where the store is."""

import os
import resource
import shutil
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from api.cli.doctor.finding import Finding
from api.settings import Settings
from api.storage.lock import holder_of

FEWEST_DESCRIPTORS = 4096
LEAST_FREE = 256 * 2**20
N_FLUSHES = 10
ANSWER_SECONDS = 3.0
FIXED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
"""SQLite's releases with the repair of resets of the write-ahead log, one a branch."""
NETWORKED = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.sshfs", "fuse.s3fs")
IN_MEMORY = ("tmpfs", "ramfs")


def check_versions(version: Sequence[int] = sqlite3.sqlite_version_info) -> Iterator[Finding]:
    """Python, the libraries, and what is known of this SQLite."""
    told = ", ".join(f"{name} {metadata.version(name)}" for name in ("segue", "numpy", "fastapi"))
    python = ".".join(map(str, sys.version_info[:3]))
    tracing = "with" if _has_tracing() else "without"
    yield Finding("versions", "ok", f"{told}, Python {python}, {tracing} OpenTelemetry")
    named = ".".join(map(str, version))
    if is_repaired(version):
        yield Finding("versions.sqlite", "ok", f"SQLite {named}")
    else:
        told = f"SQLite {named} can damage a file that two processes write at the same instant"
        remedy = "let only the service write to it, or install SQLite 3.51.3 or later"
        yield Finding("versions.sqlite", "warn", told, remedy)


def _has_tracing() -> bool:
    try:
        return find_spec("opentelemetry.sdk") is not None
    except ModuleNotFoundError:
        return False


def is_repaired(version: Sequence[int]) -> bool:
    """Whether a release of SQLite resets the write-ahead log without a race.

    Example:
        >>> is_repaired((3, 50, 7)), is_repaired((3, 51, 2)), is_repaired((3, 52, 0))
        (True, False, True)
    """
    branch = [fixed for fixed in FIXED if fixed[:2] == tuple(version[:2])]
    return tuple(version) >= (branch[0] if branch else max(FIXED))


def check_process() -> Iterator[Finding]:
    """Who would run it, and with how many descriptors."""
    if os.geteuid() == 0:
        remedy = "run it as a user of its own, as deploy/segue.service does"
        yield Finding("process.user", "warn", "this is root", remedy)
    else:
        yield Finding("process.user", "ok", f"user {os.geteuid()}")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEWEST_DESCRIPTORS:
        told = f"{soft} file descriptors: each connection takes one"
        remedy = f"ulimit -n {FEWEST_DESCRIPTORS}, or LimitNOFILE= in the unit"
        yield Finding("process.descriptors", "warn", told, remedy)
    else:
        yield Finding("process.descriptors", "ok", f"{soft} file descriptors")


def check_port(settings: Settings) -> Iterator[Finding]:
    """Whether the service answers, or could listen."""
    service = settings.service
    named = f"{service.host}:{service.port}"
    holder = holder_of(service.database)
    if holder is not None:
        yield _answering(named, holder)
    elif service.port and _is_taken(service.host, service.port):
        told = f"{named} is taken, and not by a service on this store"
        yield Finding("port", "fail", told, "change service.port, or end what listens there")
    else:
        yield Finding("port", "ok", f"{named} is free; the service is not running")


def _answering(named: str, holder: str) -> Finding:
    try:
        with urllib.request.urlopen(f"http://{named}/readyz", timeout=ANSWER_SECONDS):
            return Finding("port", "ok", f"process {holder} is ready at {named}")
    except urllib.error.HTTPError as error:
        told = f"process {holder} answers {error.code} at {named}: it starts or stops"
        return Finding("port", "warn", told, "look again in a moment, then at its log")
    except OSError as error:
        told = f"process {holder} has the store but does not answer at {named}: {error}"
        remedy = "another address may have been given by --port or a socket; else see its log"
        return Finding("port", "warn", told, remedy)


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def check_disk(settings: Settings) -> Iterator[Finding]:
    """The folder of the store: its file system, what is free, how long a flush takes."""
    service = settings.service
    folder = service.database.resolve().parent
    if not folder.is_dir():
        yield Finding("disk", "fail", f"{folder} does not exist", f"mkdir -p {folder}")
        return
    yield _file_system(folder, service.durability)
    size = service.database.stat().st_size if service.database.exists() else 0
    free = shutil.disk_usage(folder).free
    told = f"{free / 2**30:,.1f} GB free beside a store of {size / 2**30:,.2f} GB"
    if free < LEAST_FREE:
        yield Finding("disk.free", "fail", told, "make room: soon nothing can be logged")
    elif free < size + LEAST_FREE:
        remedy = "make room: an erasure, a migration and a restore need as much again for a while"
        yield Finding("disk.free", "warn", told, remedy)
    else:
        yield Finding("disk.free", "ok", told)
    yield _flushes(folder, service.deadline_ms, service.durability)


def _file_system(folder: Path, durability: str) -> Finding:
    kind = file_system(folder, Path("/proc/self/mounts"))
    if kind.startswith(NETWORKED):
        told = f"{folder} is on {kind}: SQLite's locks and shared memory do not work over a network"
        return Finding("disk", "fail", told, "put the store on a disk of this machine")
    if kind in IN_MEMORY and durability == "power-loss":
        told = f"{folder} is on {kind}, which forgets everything when the machine stops"
        return Finding("disk", "fail", told, "put the store on a disk")
    if kind == "overlay":
        told = f"{folder} is a layer of the container, and goes with it"
        return Finding("disk", "warn", told, "mount a volume there")
    return Finding("disk", "ok", f"{folder} is on {kind}")


def file_system(folder: Path, mounts: Path) -> str:
    """Type of the file system that a folder is on; "an unknown file system" where nobody says."""
    try:
        lines = mounts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return "an unknown file system"
    found = [
        (Path(fields[1].replace("\\040", " ")), fields[2])
        for fields in map(str.split, lines)
        if len(fields) > 2
    ]
    within = [one for one in found if folder.is_relative_to(one[0])]
    return max(within, key=lambda one: len(one[0].parts), default=(folder, "unknown"))[1]


def _flushes(folder: Path, deadline_ms: int, durability: str) -> Finding:
    try:
        median_ms = _flush_ms(folder)
    except OSError as error:
        told = f"nothing can be written to {folder}: {error.strerror}"
        return Finding("disk.flush", "fail", told, f"give the service's user {folder}")
    told = f"a flush takes {median_ms:.2f} ms (median of {N_FLUSHES})"
    if durability == "power-loss" and median_ms > deadline_ms / 4:
        remedy = "a faster disk; a longer service.deadline_ms; or, knowing the price, durability"
        return Finding("disk.flush", "warn", f"{told}; deadline_ms is {deadline_ms}", remedy)
    return Finding("disk.flush", "ok", told)


def _flush_ms(folder: Path) -> float:
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(N_FLUSHES):
            started = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)

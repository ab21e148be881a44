"""Decisions over HTTP beside a FastAPI endpoint that does nothing, on the same machine.

`python -m benchmarks.http [--json FILE] [--quick]`. Server on core 0, load on core 1. Each round
starts the two servers afresh, one after the other; the table has the medians of the rounds. The
service logs every decision to SQLite before it answers, and at the end of each round the log is
searched for every decision that was acknowledged.
"""

import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.cli.demo.connection import run_loop
from api.cli.demo.server import free_port, running, serve_command
from benchmarks.http_workload import (
    N_ACTIONS,
    N_FEATURES,
    make_known,
    make_requests,
    not_logged,
    render_configuration,
)
from benchmarks.load import Load, closed_loop, open_loop
from benchmarks.quiet import pinned, without_collector
from benchmarks.report import Options, Table, parse_options, publish

N_CONNECTIONS = 32
PER_SECOND = 1_000
N_REWARDED = 500
OURS, PEER = "segue", "no-op FastAPI"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    n_rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Loads:
    """What came of the load on one server."""

    warm_up: Load
    saturated: Load
    paced: Load

    @property
    def bodies(self) -> list[bytes]:
        """Every answer that was a 200."""
        return self.warm_up.bodies + self.saturated.bodies + self.paced.bodies

    @property
    def failures(self) -> list[tuple[int, bytes]]:
        """Every answer that was not."""
        return self.warm_up.failures + self.saturated.failures + self.paced.failures


@dataclass(frozen=True, slots=True)
class Round:
    """One server, measured once."""

    requests_per_second: float
    saturated_p99_ms: float
    p50_ms: float
    p99_ms: float
    n_acknowledged: int
    n_failures: int
    n_not_logged: int
    n_defaults: int


FULL, QUICK = Plan(n_rounds=5, seconds=4.0), Plan(n_rounds=1, seconds=1.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse_options("Decisions over HTTP beside a no-op FastAPI endpoint.", arguments)
    rounds = measure(QUICK if options.quick else FULL)
    report(rounds, options)


def measure(plan: Plan) -> dict[str, list[Round]]:
    """Rounds of both servers, interleaved so that a change of the machine meets both."""
    rounds: dict[str, list[Round]] = {OURS: [], PEER: []}
    for _ in range(plan.n_rounds):
        with tempfile.TemporaryDirectory(prefix="segue-bench-") as name:
            rounds[PEER].append(measure_noop(Path(name), plan))
            rounds[OURS].append(measure_service(Path(name), plan))
    return rounds


def measure_noop(directory: Path, plan: Plan) -> Round:
    """One round of the endpoint that does nothing."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "benchmarks.noop:app", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    return _round(drive(command, port, directory / "noop.log", plan, known=False))


def measure_service(directory: Path, plan: Plan) -> Round:
    """One round of the service, with its log checked after it has stopped."""
    port = free_port()
    configuration = directory / "segue.toml"
    configuration.write_text(render_configuration(port), encoding="utf-8")
    command = serve_command(configuration)
    loads = drive(command, port, directory / "segue.log", plan, known=True)
    answers = [json.loads(body) for body in loads.bodies]
    missing = not_logged(directory / "segue.db", [one["decision_id"] for one in answers])
    return _round(loads, n_not_logged=missing, n_defaults=sum(one["default"] for one in answers))


def drive(command: Sequence[str], port: int, log: Path, plan: Plan, *, known: bool) -> Loads:
    """Start a server, warm it up, then load it to saturation and at a fixed rate.

    What is warmed up with is checked like the rest, but not timed. With `known`, every visitor has
    a profile and every action is learned from before the time is taken.
    """
    requests = make_requests(port)
    with contextlib.ExitStack() as stack:
        with pinned(0):
            stack.enter_context(running(command, port, log))
        stack.enter_context(pinned(1))
        stack.enter_context(without_collector())
        warm_up = run_loop(closed_loop(port, requests, N_CONNECTIONS, plan.seconds / 4))
        if known:
            answers = [json.loads(body) for body in warm_up.bodies[:N_REWARDED]]
            run_loop(make_known(port, [answer["decision_id"] for answer in answers]))
        saturated = run_loop(closed_loop(port, requests, N_CONNECTIONS, plan.seconds))
        paced = run_loop(open_loop(port, requests, N_CONNECTIONS, PER_SECOND, plan.seconds))
    return Loads(warm_up, saturated, paced)


def report(rounds: dict[str, list[Round]], options: Options) -> None:
    """Print the medians and their ratio; stop with an error if anything was lost."""
    rows = [
        _row("requests/s at saturation", "requests_per_second", rounds),
        _row("p99 at saturation, ms", "saturated_p99_ms", rounds),
        _row(f"p50 at {PER_SECOND:,} requests/s, ms", "p50_ms", rounds),
        _row(f"p99 at {PER_SECOND:,} requests/s, ms", "p99_ms", rounds),
    ]
    acknowledged = sum(one.n_acknowledged for one in rounds[OURS])
    missing = sum(one.n_not_logged for one in rounds[OURS])
    title = (
        f"Decisions over HTTP: {N_ACTIONS} actions, {N_FEATURES} context features, "
        f"{N_CONNECTIONS} connections"
    )
    numbers = {
        "medians": {row[0]: dict(zip((OURS, PEER, "ratio"), row[1:], strict=True)) for row in rows},
        "rounds": {name: [_plain(one) for one in each] for name, each in rounds.items()},
        "acknowledged": acknowledged,
        "acknowledged_but_not_logged": missing,
    }
    publish("http", [Table(title, ["", OURS, PEER, "ratio"], rows)], numbers, options)
    print(f"\n{acknowledged:,} decisions acknowledged, {missing:,} of them not in the log.")
    failures = sum(one.n_failures for each in rounds.values() for one in each)
    defaults = sum(one.n_defaults for one in rounds[OURS])
    if missing or failures or defaults:
        sys.exit(
            f"{missing} acknowledged decisions lost, {failures} requests failed, {defaults} "
            "answered with the default action"
        )


def _round(loads: Loads, n_not_logged: int = 0, n_defaults: int = 0) -> Round:
    if not loads.saturated.bodies or not loads.paced.bodies:
        raise RuntimeError(f"no request was answered: {loads.failures[:1]}")
    return Round(
        requests_per_second=loads.saturated.per_second,
        saturated_p99_ms=loads.saturated.latency_ms(99),
        p50_ms=loads.paced.latency_ms(50),
        p99_ms=loads.paced.latency_ms(99),
        n_acknowledged=len(loads.bodies),
        n_failures=len(loads.failures),
        n_not_logged=n_not_logged,
        n_defaults=n_defaults,
    )


def _row(label: str, name: str, rounds: dict[str, list[Round]]) -> tuple[str, float, float, float]:
    ours, peer = (
        statistics.median(getattr(one, name) for one in rounds[which]) for which in (OURS, PEER)
    )
    return label, ours, peer, ours / peer


def _plain(one: Round) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Round.__slots__}


if __name__ == "__main__":
    main()

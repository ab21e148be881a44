"""The service's numbers besides decisions a second, which `benchmarks.http` has.

`python -m benchmarks.service [--json FILE] [--quick] [--only PART ...] [--soak REQUESTS]`. Server
on core 0, load on core 1, wherever there are two. The exit code is 1 where something acknowledged
was lost; a figure that is missed is marked, since it depends on the machine.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.report import Cell, Table, option_parser, options_of, publish
from benchmarks.service import disturbed, events, known, slow_disk, soak, stretches


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    seconds: float
    n_rounds: int
    n_visitors: int
    n_requests: int


@dataclass(frozen=True, slots=True)
class Part:
    """What a part came to: rows of name, figure, bound and whether it holds; numbers; losses."""

    rows: list[tuple[Cell, ...]]
    numbers: Any
    n_lost: int = 0


FULL = Plan(seconds=8.0, n_rounds=3, n_visitors=1_000_000, n_requests=2_000_000)
QUICK = Plan(seconds=2.0, n_rounds=1, n_visitors=20_000, n_requests=20_000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = option_parser("Events, slow disks, many visitors, disturbances and soaking.")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--soak", type=int, metavar="REQUESTS", help="instead of 2 million")
    parser.add_argument("--visitors", type=int, metavar="N", help="instead of a million")
    given = parser.parse_args(arguments)
    options = options_of(given)
    plan = QUICK if options.quick else FULL
    plan = Plan(
        plan.seconds,
        plan.n_rounds,
        given.visitors or plan.n_visitors,
        given.soak or plan.n_requests,
    )
    found = {name: PARTS[name](plan) for name in given.only}
    rows = [row for part in found.values() for row in part.rows]
    table = Table("The service under load", ["", "measured", "bound", ""], rows)
    numbers = {name: part.numbers for name, part in found.items()}
    publish("service", [table], numbers, options)
    n_lost = sum(part.n_lost for part in found.values())
    if n_lost:
        sys.exit(f"{n_lost} requests failed, or were acknowledged and are not in the log")


def of_events(plan: Plan) -> Part:
    """Through the batch route, and the store alone."""
    one = events.measure(plan.seconds)
    rows = [
        _least("events/s, batches of 100, profiles current", one.per_second, 10_000),
        _plain("events a second of the server's processor", one.per_core_second),
        _least("rows/s, store alone", one.store_per_second, 100_000),
        _plain("rows a second of its processor", one.store_per_core_second),
        _plain("batches refused under overload", one.n_refused),
    ]
    return Part(rows, asdict(one), one.n_lost)


def of_slow_disk(plan: Plan) -> Part:
    """With flushes of 5 ms."""
    one = slow_disk.measure(plan.n_rounds, plan.seconds / 2)
    name = "decisions/s with flushes of 5 ms, over the no-op's, 32 in flight"
    if one is None:
        return Part([(name, "no C compiler here", "0.25", "")], None)
    rows = [
        _plain("decisions/s with flushes of 5 ms", one.per_second),
        _least(name, one.ratio, 0.25),
    ]
    return Part(rows, {**asdict(one), "ratio": one.ratio}, one.n_lost)


def of_known(plan: Plan) -> Part:
    """Many visitors."""
    one = known.measure(plan.n_visitors, plan.seconds)
    rows = [
        _plain(f"p99 with {known.FEW:,} visitors known, ms", one.few_p99_ms),
        _most(
            f"p99 with {one.n_visitors:,} cold ones, times that", one.p99_ms / one.few_p99_ms, 1.5
        ),
        _most("bytes a visitor, process and all", one.bytes_a_visitor, 2_000),
    ]
    return Part(rows, asdict(one), one.n_failures)


def of_disturbed(plan: Plan) -> Part:
    """Beside other work."""
    found, n_lost = disturbed.measure(plan.seconds)
    rows = [
        _most(
            f"p99 during {one.n_times} {one.name}, times the quiet {one.quiet_p99_ms:.2f} ms",
            one.p99_ms / one.quiet_p99_ms,
            3.0,
        )
        for one in found
    ]
    return Part(rows, {"rows": [asdict(one) for one in found], "lost": n_lost}, n_lost)


def of_stretches(_: Plan) -> Part:
    """What the event loop does at a stretch."""
    found = stretches.measure()
    rows = [_plain(f"longest stretch of {name}, processor ms", ms) for name, ms in found.items()]
    return Part(rows, found)


def of_soak(plan: Plan) -> Part:
    """For long."""
    one = soak.measure(plan.n_requests)
    last = one.readings[-1]
    rows = [
        _most(f"memory, end over beginning of {last.n_requests:,} requests",
              one.ratio("memory_mb"), 1.1),
        _most("file descriptors, likewise", one.ratio("n_descriptors"), 1.0),
        _most("p99, likewise", one.ratio("p99_ms"), 1.5),
        _plain("memory at the end, MB", last.memory_mb),
    ]  # fmt: skip
    readings = [asdict(reading) for reading in one.readings]
    return Part(rows, {"readings": readings, "failures": one.n_failures}, one.n_failures)


def _least(name: str, value: float, bound: float) -> tuple[Cell, ...]:
    return name, value, f"at least {bound:,g}", "" if value >= bound else "missed"


def _most(name: str, value: float, bound: float) -> tuple[Cell, ...]:
    return name, value, f"at most {bound:,g}", "" if value <= bound else "missed"


def _plain(name: str, value: float) -> tuple[Cell, ...]:
    return name, value, "", ""


PARTS: dict[str, Callable[[Plan], Part]] = {
    "events": of_events,
    "slow-disk": of_slow_disk,
    "known": of_known,
    "disturbed": of_disturbed,
    "stretches": of_stretches,
    "soak": of_soak,
}

if __name__ == "__main__":
    main()

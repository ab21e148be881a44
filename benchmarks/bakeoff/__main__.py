"""Our policies and their peers on classification sets as one-pass bandit problems.

    python -m benchmarks.bakeoff [--data DIR] [--json FILE] [--quick] [--sets a,b]
        [--learners ours,numpy,'vw-squarecb*'] [--rounds N] [--seeds S] [--slow-seeds S]
        [--scale standard|range] [--workers 1|2] [--keep DIR]

Where it stands: the command; `docs/bakeoff.md` says what is measured and how to add a set.
"""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console
from rich.progress import track

from benchmarks.bakeoff.headline import Duel, checks, duels
from benchmarks.bakeoff.kept import KeptPasses
from benchmarks.bakeoff.one_pass import Pass, Task, run_all
from benchmarks.bakeoff.ours import DEFAULT
from benchmarks.bakeoff.problems import DataError, Scale, data_folder, set_names
from benchmarks.bakeoff.scores import Scores
from benchmarks.bakeoff.settings import chosen
from benchmarks.bakeoff.tables import best_peers_table, checks_table, duels_table, settings_table
from benchmarks.report import Options, option_parser, options_of, publish

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from benchmarks.bakeoff.learner import Setting

QUICK_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    folder: Path
    sets: tuple[str, ...]
    settings: tuple[Setting, ...]
    scale: Scale
    n_rounds: int | None
    n_seeds: int
    n_slow_seeds: int
    n_workers: int
    keep: Path | None

    def tasks(self) -> list[Task]:
        """Set by set, so that a worker reads each set once."""
        return [
            Task(self.folder, name, self.scale, seed, self.n_rounds, setting)
            for name in self.sets
            for setting in self.settings
            if setting.is_installed
            for seed in range(self.n_slow_seeds if setting.slow else self.n_seeds)
        ]


def parse_plan(arguments: Sequence[str] | None = None) -> tuple[Plan, Options]:
    """Read the command line; what is wrong with it ends the process with a message."""
    parser = option_parser((__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", default="*", metavar="A,B", help="only these sets")
    parser.add_argument("--learners", default="*", metavar="A,B", help="families or names, with *")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds instead of one whole pass")
    parser.add_argument("--seeds", type=int, default=3, metavar="S", help="shuffles of each set")
    parser.add_argument("--slow-seeds", type=int, default=1, metavar="S", help="for slow learners")
    parser.add_argument("--scale", choices=get_args(Scale), default="standard", help="of numbers")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=2, help="processes")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep passes, and reuse them")
    given = parser.parse_args(arguments)
    for name in ("rounds", "seeds", "slow_seeds"):
        if (number := getattr(given, name)) is not None and number < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {number}")
    try:
        return _plan(given), options_of(given)
    except (DataError, ValueError) as problem:
        parser.error(str(problem))


def run(plan: Plan) -> list[Pass]:
    """Every pass of the plan; those that are kept already are not run again."""
    kept = None if plan.keep is None else KeptPasses(plan.keep)
    found = (
        {task: kept.find(task) for task in plan.tasks()} if kept else dict.fromkeys(plan.tasks())
    )
    missing = [task for task, done in found.items() if done is None]
    passes = [done for done in found.values() if done is not None]
    console = Console(stderr=True)
    running = zip(missing, run_all(missing, plan.n_workers), strict=True)
    for task, done in track(running, "passes", len(missing), console=console):
        if kept:
            kept.keep(task, done)
        passes.append(done)
    return passes


def main(arguments: Sequence[str] | None = None) -> None:
    plan, options = parse_plan(arguments)
    scores = Scores(run(plan))
    fought = duels(scores, plan.settings)
    tables = [settings_table(scores, plan.settings)]
    if fought:
        tables += [
            duels_table(fought),
            best_peers_table(fought, scores, DEFAULT),
            checks_table(checks(fought)),
        ]
    publish("bakeoff", tables, numbers(plan, scores, fought), options)


def numbers(plan: Plan, scores: Scores, fought: Sequence[Duel]) -> dict[str, Any]:
    """Everything that the tables show, unrounded, for the JSON file."""
    return {
        "scale": plan.scale,
        "n_rounds": plan.n_rounds,
        "default": DEFAULT,
        "settings": {
            name: {
                "average": scores.average(name),
                "wins_minus_losses": scores.wins_minus_losses(name, scores.settings),
                "sets": {one: asdict(scores.score(name, one)) for one in scores.set_names},
            }
            for name in scores.settings
        },
        "not_installed": sorted({s.family for s in plan.settings if not s.is_installed}),
        "duels": [asdict(duel) for duel in fought],
        "checks": [asdict(check) for check in checks(fought)],
    }


def _plan(given: argparse.Namespace) -> Plan:
    if importlib.util.find_spec("pyarrow") is None:
        raise ValueError("pyarrow is not installed: it reads the sets (pip install 'segue[peers]')")
    folder = data_folder(given.data)
    known = set_names(folder)
    sets = known if given.sets == "*" else tuple(given.sets.split(","))
    for name in sets:
        if name not in known:
            raise ValueError(f"{folder} has no set {name!r}: it has {', '.join(known)}")
    return Plan(
        folder=folder,
        sets=sets,
        settings=chosen(given.learners.split(",")),
        scale=given.scale,
        n_rounds=min(given.rounds or QUICK_ROUNDS, QUICK_ROUNDS) if given.quick else given.rounds,
        n_seeds=1 if given.quick else given.seeds,
        n_slow_seeds=1 if given.quick else min(given.slow_seeds, given.seeds),
        n_workers=given.workers,
        keep=given.keep,
    )


if __name__ == "__main__":
    main()

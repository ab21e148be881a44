"""Our default estimator beside Open Bandit Pipeline's tuned ones, on logs of known value.

Where it stands: our worlds write logs, `obp_peer.py tuned` estimates from the same files, once with
its own reward model and once with ours.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.ope.obp_compare import run_peer
from benchmarks.ope.worlds import TARGET, draw_log, true_value
from policy.ope.evaluate import DEFAULT, Question, evaluate
from policy.ope.formats.obp import to_bandit_feedback
from policy.ope.reward_model import NormalEquations, RewardModel
from policy.ope.targets import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.ope.worlds import Array, World
    from policy.ope.log import Decisions

QUESTION = Question({TARGET: Column(TARGET)}, (DEFAULT,))


@dataclass(frozen=True, slots=True)
class Errors:
    """Root mean squared errors of one estimator.

    Args:
        estimator: Its name.
        by_world: One for each world.
    """

    estimator: str
    by_world: tuple[float, ...]


def tuned_errors(worlds: Sequence[World], n_logs: int, seed: int = 1) -> list[Errors]:
    """Of ours, first, and of each of OBP's, on the same logs."""
    truths = [true_value(world) for world in worlds]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours: dict[str, float] = {}
        for place, world in enumerate(worlds):
            rng = np.random.default_rng((seed, place))
            for number in range(n_logs):
                log = draw_log(world, world.n_rows, rng)
                case = f"{place}-{number}"
                ours[case] = evaluate(lambda log=log: [log], QUESTION).of(TARGET).best.value
                np.savez(folder / f"{case}.npz", **_feedback(log, world))
        run_peer("tuned", str(folder))
        theirs = json.loads((folder / "estimates.json").read_text(encoding="utf-8"))
    found = [Errors(DEFAULT.name, _rmse(ours, truths))]
    first = next(iter(theirs.values()))
    for model, estimates in first.items():
        for estimator in estimates:
            values = {case: theirs[case][model][estimator] for case in theirs}
            found.append(Errors(f"OBP {estimator}, {model}", _rmse(values, truths)))
    return found


def _feedback(log: Decisions, world: World) -> dict[str, Array]:
    model = RewardModel.fitted(NormalEquations.of(log))
    kept = ("n_actions", "context", "action", "reward", "pscore")
    feedback = to_bandit_feedback(log)
    return {name: feedback[name] for name in kept} | {
        "action_dist": log.targets[TARGET][:, :, np.newaxis],
        "expected": model.expected(log)[:, :, np.newaxis],
        "is_binary": np.array(not world.is_revenue),
    }


def _rmse(values: dict[str, float], truths: Sequence[float]) -> tuple[float, ...]:
    errors: list[list[float]] = [[] for _ in truths]
    for case, value in values.items():
        place = int(case.split("-", maxsplit=1)[0])
        errors[place].append(value - truths[place])
    return tuple(float(np.sqrt(np.mean(np.square(each)))) for each in errors)

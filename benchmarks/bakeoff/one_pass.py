"""One learner over one shuffled set: every round chooses, earns and learns once.

Where it stands: the measuring itself, between problems and comparisons. Passes run in processes of
their own, each with one thread for linear algebra.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.bakeoff.problems import load_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.bakeoff.learner import Setting
    from benchmarks.bakeoff.problems import Scale

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Task:
    """One pass to run."""

    folder: Path
    set_name: str
    scale: Scale
    seed: int
    n_rounds: int | None
    setting: Setting


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """What one pass earned and took.

    Args:
        setting: The name of the learner's setting.
        set_name: The set.
        seed: Of the shuffle and of the learner.
        rewards: 0 or 1, (n_rounds,).
        round_ns: Choosing and learning, (n_rounds,).
    """

    setting: str
    set_name: str
    seed: int
    rewards: npt.NDArray[np.uint8]
    round_ns: npt.NDArray[np.int64]


def run_pass(task: Task) -> Pass:
    """Progressive rewards: each round is decided before its reward is learned.

    Raises:
        ModuleNotFoundError: The peer is not installed.
    """
    problem = load_problem(task.folder, task.set_name, task.scale).shuffled(
        task.seed, task.n_rounds
    )
    n_features = problem.contexts.shape[1]
    learner = task.setting.make(n_features, problem.n_actions, task.seed)
    rewards = np.zeros(len(problem.classes), np.uint8)
    round_ns = np.zeros(len(problem.classes), np.int64)
    classes = problem.classes.tolist()
    for i, context in enumerate(learner.prepare(problem.contexts)):
        start = time.perf_counter_ns()
        choice = learner.choose(context)
        reward = float(choice.action == classes[i])
        learner.learn(context, choice, reward)
        round_ns[i] = time.perf_counter_ns() - start
        rewards[i] = reward
    return Pass(task.setting.name, task.set_name, task.seed, rewards, round_ns)


def run_all(tasks: Sequence[Task], n_workers: int) -> Iterator[Pass]:
    """Every pass, in the order of the tasks.

    Args:
        tasks: Of settings whose packages are installed.
        n_workers: Processes at a time.
    """
    if not tasks:
        return
    # Read by the linear algebra when a worker first loads it, hence before any of them starts.
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    with multiprocessing.get_context("spawn").Pool(n_workers) as pool:
        yield from pool.imap(run_pass, tasks)

"""Passes on disk: a long bake-off can be stopped, resumed, and run again with new learners only.

Where it stands: around the passes, when `--keep DIR` asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.bakeoff.one_pass import Pass, Task

if TYPE_CHECKING:
    from pathlib import Path


class KeptPasses:
    """One file a pass. It does not know the learner's code: delete the files of what has changed.

    Args:
        folder: Created when the first pass is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, task: Task) -> Pass | None:
        """The pass of this task, if it is kept."""
        path = self._path(task)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return Pass(
                task.setting.name, task.set_name, task.seed, arrays["rewards"], arrays["round_ns"]
            )

    def keep(self, task: Task, done: Pass) -> None:
        """Write it, whole or not at all."""
        path = self._path(task)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, rewards=done.rewards, round_ns=done.round_ns)
        unfinished.replace(path)

    def _path(self, task: Task) -> Path:
        rounds = "all" if task.n_rounds is None else str(task.n_rounds)
        name = f"{task.setting.name}.{task.set_name}.seed{task.seed}.npz"
        return self.folder / f"{task.scale}-{rounds}" / name

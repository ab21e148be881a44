"""Our estimates beside Open Bandit Pipeline's, on its own synthetic logs and the Open Bandit data.

Where it stands: `obp_peer.py` makes the logs and OBP's estimates in a virtual environment of its
own; here the same files are read by our formats and estimated by our estimators.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.ope.obp_ours import OURS, bandit, prices, slates
from benchmarks.ope.real_logs import CAMPAIGNS, open_bandit
from policy.ope.formats.obp import to_bandit_feedback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("SEGUE_OBP_PYTHON", ROOT / ".venv-obp/bin/python"))
PEER = Path(__file__).with_name("obp_peer.py")
SAME = 1e-9
N_ROWS, SPEED_ROWS = 10_000, 1_000_000
MISSING = f"not installed: make {PYTHON.parents[1].name}/.obp"

WHY = {
    "replay": "OBP counts only rows whose action the target shows for certain; ours weighs each "
    "row by the target's probability of it, which is the same where the target is certain",
    "slope": "one member of one family each: OBP compares by one-sided 90 % Student bounds in the "
    "order of their widths, ours by one standard error in the order of the parameter",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One estimate of both.

    Args:
        log: Name of the log.
        estimator: Name of the estimator.
        ours: Our estimate.
        theirs: OBP's.
        why: What is defined otherwise; empty where nothing is.
    """

    log: str
    estimator: str
    ours: float
    theirs: float
    why: str

    @property
    def is_same(self) -> bool:
        """Whether both agree to 1e-9."""
        return abs(self.ours - self.theirs) <= SAME * max(1.0, abs(self.theirs))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was compared.

    Args:
        pairs: Of every log and estimator.
        seconds: OBP's time for its reward model and for IPS, SNIPS and DR, and on how many rows.
    """

    pairs: tuple[Pair, ...]
    seconds: Mapping[str, float]


def is_installed() -> bool:
    """Whether there is an OBP to compare with."""
    if not PYTHON.exists():
        return False
    tried = subprocess.run([str(PYTHON), "-c", "import obp"], check=False, capture_output=True)
    return tried.returncode == 0


def compared(data: Path, *, quick: bool) -> Comparison:
    """Both sides of every estimate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _give(folder, data)
        sizes = (1_000, 20_000) if quick else (N_ROWS, SPEED_ROWS)
        run_peer("compare", str(folder), *map(str, sizes))
        found = json.loads((folder / "estimates.json").read_text(encoding="utf-8"))
        seconds = found.pop("seconds")
        return Comparison(tuple(_pairs(folder, found)), seconds)


def run_peer(*arguments: str) -> None:
    """Run OBP's side.

    Raises:
        RuntimeError: It failed; its last lines are in the message.
    """
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", str(PEER), *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"Open Bandit Pipeline failed: {done.stderr[-2000:]}")


def _give(folder: Path, data: Path) -> None:
    """The Open Bandit logs, where they are there, as OBP's own dictionary in npz."""
    for campaign in CAMPAIGNS:
        if (data / f"obd/random_{campaign}.parquet").exists():
            feedback = to_bandit_feedback(open_bandit("random", campaign, data))
            np.savez(folder / f"given-{campaign}.npz", **feedback)


def _pairs(folder: Path, found: Mapping[str, Mapping[str, float]]) -> Iterator[Pair]:
    sides = {"slates": slates, "prices": prices}
    for log, theirs in found.items():
        with np.load(folder / f"{log}.npz") as archive:
            columns: dict[str, npt.NDArray[Any]] = {key: archive[key] for key in archive.files}
        ours = sides.get(log, bandit)(columns)
        for estimator in OURS:
            if estimator in ours and estimator in theirs:
                why = WHY["slope"] if "slope" in estimator else WHY.get(estimator, "")
                yield Pair(log, estimator, ours[estimator], theirs[estimator], why)

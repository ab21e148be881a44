"""The process that fits a segmentation: a task on standard input, the result on standard output.

Both are model files (`policy.model_file`), so nothing that could run passes between the processes,
and a fit whose service is gone ends at its closed pipe.
"""

import os
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from api.loop.clock import from_us
from api.segment_families import K_MEANS, LEARNING, make_family
from api.storage.base import StoreError
from policy import model_file
from segments.cluster.family import Cohort, Family
from segments.cluster.fitting import fit_segments
from segments.cluster.kmeans import KMeans
from segments.cluster.segmentation import Segmentation
from segments.errors import SegmentsError
from segments.evaluation.choice import choose
from segments.pipeline import Pipeline

NICENESS = 10
NUMBERS = range(3, 9)
"""Numbers of segments to choose among, where the family has to be told and nobody does."""
N_DRAWS = 10
_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to do.

    Args:
        family: One of `FAMILIES`.
        n_segments: For those that have to be told; None for the number that lasts best.
        max_churn: Budget of a refit, as a share of the visitors.
        seed: Of everything drawn.
        database: The store, for families that learn from what visitors went on to do.
        at_us: Now.
        outcome_days: How long ago they are looked at for what they spent since.
    """

    family: str
    n_segments: int | None = None
    max_churn: float | None = None
    seed: int = 0
    database: str = ""
    at_us: int = 0
    outcome_days: int = 90


def pack_task(task: Task, vectors: npt.NDArray[np.float32], previous: Segmentation | None) -> bytes:
    """A task with its visitors.

    Args:
        task: What to do.
        vectors: One visitor a row, (n_visitors, n_features).
        previous: The segmentation in use.
    """
    manifest: dict[str, model_file.JSON] = {"kind": "segments-fit", "schema": 2, **asdict(task)}
    packed = model_file.dump(manifest, {"vectors": vectors})
    before = b"" if previous is None else model_file.dump(*previous.state())
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed + before


def unpack_result(data: bytes) -> Segmentation:
    """The segmentation that the process wrote."""
    return Segmentation.from_state(*model_file.load(data))


def fit(data: bytes) -> bytes:
    """Do a packed task.

    Raises:
        SegmentsError: The vectors cannot be clustered.
        StoreError: What visitors went on to do cannot be read.
        ModelFileError: The bytes are no task.
    """
    length = int.from_bytes(data[:_LENGTH_BYTES], "big")
    manifest, arrays = model_file.load(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
    before = data[_LENGTH_BYTES + length :]
    fields: Any = {name: manifest[name] for name in Task.__dataclass_fields__}
    fitted = fitted_by(Task(**fields), arrays["vectors"], unpack_result(before) if before else None)
    return model_file.dump(*fitted.state())


def fitted_by(
    task: Task, vectors: npt.NDArray[np.float32], previous: Segmentation | None
) -> Segmentation:
    """Fit a segmentation in this process; see `fit`."""
    rng = np.random.default_rng(task.seed)
    if task.family in LEARNING:
        cohort = _with_outcome(task)
    else:
        cohort = Cohort(vectors, Pipeline.feature_names)
    family = _family(task, cohort, rng)
    return fit_segments(family, cohort, previous=previous, rng=rng)


def _family(task: Task, cohort: Cohort, rng: np.random.Generator) -> Family:
    if task.family != K_MEANS or task.n_segments is not None:
        return make_family(task.family, task.n_segments, task.max_churn)
    candidates: dict[str, Family] = {str(n): KMeans(n) for n in NUMBERS}
    chosen = choose(candidates, cohort, rng, n_draws=N_DRAWS).chosen
    return make_family(task.family, int(chosen), task.max_churn)


def _with_outcome(task: Task) -> Cohort:
    """Visitors as they were a while ago, with what they spent since."""
    from api.storage.visitor_log import VisitorLog  # noqa: PLC0415  # few families need it

    at = from_us(task.at_us) - timedelta(days=task.outcome_days)
    (crowd,) = VisitorLog(Path(task.database)).crowds([at], outcome_days=task.outcome_days)
    if not crowd.visitors:
        raise StoreError(
            f"nobody was known {task.outcome_days} days ago (segments.outcome_days), so there is "
            f"nothing to learn from yet; wait, or choose another family than {task.family}"
        )
    return Cohort(crowd.vectors, crowd.feature_names, crowd.outcome)


def main() -> None:
    """Read, fit, write; decisions come first."""
    os.nice(NICENESS)
    try:
        result = fit(sys.stdin.buffer.read())
    except (SegmentsError, StoreError) as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(result)


if __name__ == "__main__":
    main()

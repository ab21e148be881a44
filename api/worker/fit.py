"""The process that fits a segmentation: a task on standard input, the result on standard output.

Both are model files (`policy.model_file`), so nothing that could run passes between the processes,
and a fit whose service is gone ends at its closed pipe.
"""

import os
import sys

import numpy as np
import numpy.typing as npt

from api.settings import SegmentSettings
from policy import model_file
from segments.cluster.kmeans import fit_kmeans
from segments.cluster.segmentation import Segmentation
from segments.errors import SegmentsError
from segments.pipeline import Pipeline

NICENESS = 10
_LENGTH_BYTES = 8


def pack_task(
    vectors: npt.NDArray[np.float32], settings: SegmentSettings, previous: Segmentation | None
) -> bytes:
    """What the process is to do.

    Args:
        vectors: One visitor a row, (n_visitors, n_features).
        settings: How many segments, from which seed.
        previous: The segmentation in use.
    """
    manifest: dict[str, model_file.JSON] = {
        "kind": "segments-fit",
        "schema": 1,
        "n_segments": settings.n_segments,
        "seed": settings.seed,
    }
    task = model_file.dump(manifest, {"vectors": vectors})
    before = b"" if previous is None else model_file.dump(*previous.state())
    return len(task).to_bytes(_LENGTH_BYTES, "big") + task + before


def unpack_result(data: bytes) -> Segmentation:
    """The segmentation that the process wrote."""
    return Segmentation.from_state(*model_file.load(data))


def fit(data: bytes) -> bytes:
    """Do a packed task.

    Raises:
        SegmentsError: The vectors cannot be clustered.
        ModelFileError: The bytes are no task.
    """
    length = int.from_bytes(data[:_LENGTH_BYTES], "big")
    manifest, arrays = model_file.load(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
    before = data[_LENGTH_BYTES + length :]
    segmentation = fit_kmeans(
        arrays["vectors"],
        Pipeline.feature_names,
        int(str(manifest["n_segments"])),
        previous=unpack_result(before) if before else None,
        seed=int(str(manifest["seed"])),
    )
    return model_file.dump(*segmentation.state())


def main() -> None:
    """Read, fit, write; decisions come first."""
    os.nice(NICENESS)
    try:
        result = fit(sys.stdin.buffer.read())
    except SegmentsError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(result)


if __name__ == "__main__":
    main()

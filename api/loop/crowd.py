"""Features of all visitors at one moment, read beside requests."""

import asyncio
from datetime import datetime

import numpy as np
import numpy.typing as npt

from segments.pipeline import Pipeline

DESCRIBED_AT_ONCE = 50


async def crowd_vectors(
    pipeline: Pipeline, now: datetime, most: int | None = None
) -> npt.NDArray[np.float32]:
    """Features of the visitors, a few at a time so that requests come in between.

    Args:
        pipeline: The visitors.
        now: The moment.
        most: Only so many, the latest to come; None for all.

    Returns:
        (n_visitors, n_features), in the order of their first event.
    """
    visitors = list(pipeline.visitors())[-most if most else None :]
    vectors = np.empty((len(visitors), len(pipeline.feature_names)), np.float32)
    for row, visitor in enumerate(visitors):
        vectors[row] = pipeline.describe(visitor, now).vector
        if row % DESCRIBED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return vectors

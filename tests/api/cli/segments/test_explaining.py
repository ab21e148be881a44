"""Why a visitor is where they are, and when time alone moves them."""

from datetime import timedelta

import numpy as np

from api.cli.segments.explaining import leaving
from segments.cluster.family import Cohort
from segments.cluster.fitting import fit_segments
from segments.cluster.tiers import ValueTiers
from segments.event import Event
from segments.pipeline import Pipeline
from tests.api.cli.segments.shop import START

NOW = START + timedelta(days=1)


def shop() -> Pipeline:
    """Sixty visitors who spent ever more, in tiers of what they are expected to spend."""
    pipeline = Pipeline()
    for i in range(60):
        bought = Event(f"m{i}", "Order Completed", f"v{i}", START, total_cents=100 * (i + 1))
        pipeline.observe(bought, i)
    _, vectors = pipeline.matrix(NOW)
    cohort = Cohort(vectors, pipeline.feature_names)
    rng = np.random.default_rng(0)
    pipeline.segmentation = fit_segments(ValueTiers((0.5, 0.8)), cohort, previous=None, rng=rng)
    return pipeline


def test_when_a_visitor_leaves_by_doing_nothing_is_said_beforehand() -> None:
    pipeline = shop()
    leaves = leaving(pipeline, "v59", NOW)
    assert leaves is not None
    assert leaves.cause == "time"
    second = timedelta(seconds=2)
    assert pipeline.describe("v59", leaves.at - second).segment == leaves.source
    assert pipeline.describe("v59", leaves.at + second).segment == leaves.target


def test_whoever_has_nowhere_to_fall_stays() -> None:
    assert leaving(shop(), "v0", NOW) is None

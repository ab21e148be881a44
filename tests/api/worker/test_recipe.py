"""What the configuration asks for beside the segments in use, and what comes of a fit."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.settings import SegmentSettings
from api.storage.base import RefitRow
from api.worker.recipe import Recipe, is_another, wanted
from api.worker.verdict import Request, judged
from segments.cluster.segmentation import Segmentation

TIERS, FOUR, ANY = Recipe("value-tiers", None), Recipe("kmeans", 4), Recipe("kmeans", None)
ROW = RefitRow(0, "kmeans", None, "failed", None, 60, None, None)


def fitted(n_segments: int = 4, churn: float | None = None) -> Segmentation:
    made = SimpleNamespace(
        version=2, churn=churn, assigner=SimpleNamespace(kind="kmeans", n_labels=n_segments)
    )
    return cast("Segmentation", made)


@pytest.mark.parametrize(
    ("configured", "live", "asked"),
    [
        ({}, None, TIERS),
        ({"n_segments": 4}, None, FOUR),
        ({"family": "kmeans"}, None, ANY),
        ({"family": "kmeans"}, FOUR, FOUR),
        ({"n_segments": 4}, ANY, FOUR),
        ({}, FOUR, FOUR),
        ({"n_segments": 6}, TIERS, TIERS),
        ({"family": "value-tiers"}, FOUR, TIERS),
    ],
)
def test_what_is_left_open_stays_as_it_is(
    configured: dict[str, Any], live: Recipe | None, asked: Recipe
) -> None:
    assert wanted(SegmentSettings(**configured), live) == asked


@pytest.mark.parametrize(
    ("asked", "live", "another"),
    [
        (TIERS, FOUR, True),
        (FOUR, FOUR, False),
        (ANY, FOUR, False),
        (FOUR, ANY, False),  # there are four
        (Recipe("kmeans", 6), ANY, True),
        (Recipe("kmeans", 6), FOUR, True),
    ],
)
def test_other_segments_are_asked_for(asked: Recipe, live: Recipe, another: bool) -> None:
    assert is_another(asked, live, fitted(4)) is another


def test_segments_of_which_nothing_was_written_down_are_known_by_their_model() -> None:
    assert Recipe.of_live(fitted(), None) == ANY
    assert Recipe.of_live(fitted(), ROW._replace(version=1, family="rfm")) == ANY  # of another fit
    assert Recipe.of_live(fitted(), ROW._replace(version=2, n_segments=4)) == FOUR


@pytest.mark.parametrize(
    ("churn", "how", "another", "outcome", "said"),
    [
        (None, Request(), False, "adopted", None),
        (0.03, Request(), False, "adopted", None),
        (0.31, Request(), False, "refused", "31.0% of the visitors would be in another segment"),
        (0.31, Request(), True, "adopted", "other segments were asked for"),
        (0.31, Request(force=True), False, "adopted", "it was forced"),
        (0.31, Request(dry_run=True), False, "dry-run", "it would be refused: 31.0%"),
        (0.01, Request(dry_run=True), False, "dry-run", "it would be adopted"),
    ],
)
def test_a_fit_is_judged(
    churn: float | None, how: Request, another: bool, outcome: str, said: str | None
) -> None:
    row = judged(ROW, fitted(churn=churn), how, max_churn=0.03, another=another)
    assert (row.outcome, row.churn) == (outcome, churn)
    assert row.version == (2 if outcome == "adopted" else None)
    assert (row.reason or "").startswith(said or "")
    assert (row.reason is None) == (said is None)

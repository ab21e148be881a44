import numpy as np
import pytest

from api.cli.demo.client import DemoError
from api.cli.demo.replay import Replayed
from api.cli.demo.results import (
    Books,
    check_books,
    describe_segments,
    measure_speed,
    most_active,
    score_policies,
)
from tests.api.cli.demo.test_replay import baskets_of

OUTCOMES = np.array([[True, False], [False, True], [True, True], [False, True]])
BASKETS = baskets_of([1, 2, 1, 2], [1, 1, 1, 1])


def test_the_learned_policy_is_scored_by_the_tiles_that_it_showed() -> None:
    scores, difference = score_policies(BASKETS, OUTCOMES, np.array([0, 0, 1, 1]))
    rates = {score.policy: score.overall.value for score in scores}
    assert rates["learned"] == 0.75
    assert rates["uniformly random"] == 0.625
    own = rates["own favourite"]
    assert difference.overall.value == pytest.approx(0.75 - own)
    assert scores[0].second_half.n_samples == 2


def test_the_best_tile_of_a_segment_is_that_of_its_households_baskets() -> None:
    row = {"description": "words", "size": 1, "share": 0.5, "value_cents": 100.0}
    rows = [row | {"id": "s1"}, row | {"id": "s2", "size": 3}, row | {"id": "s3", "size": 0}]
    first, second, empty = describe_segments(
        rows, {1: "s1", 2: "s2"}, BASKETS, OUTCOMES, ("A", "B")
    )
    assert (first.id, first.best_tile, first.best_hit_rate, first.n_baskets) == ("s2", "B", 1.0, 2)
    assert (second.id, second.best_tile, second.best_hit_rate) == ("s1", "A", 1.0)
    assert (empty.best_tile, empty.best_hit_rate) == (None, None)


def test_speed_is_read_from_the_client() -> None:
    speed = measure_speed(Replayed(("A",) * 4, np.array([1.0, 2.0, 3.0, 4.0]) / 1000, 0, 2.0))
    assert (speed.decisions_per_second, speed.median_ms) == (2.0, 2.5)


def test_books_that_differ_are_an_error() -> None:
    check_books(Books(client_hits=3, service_hits=3.0, service_rewards=4, defaults=0))
    with pytest.raises(DemoError, match="counted 2 hits, the data holds 3"):
        check_books(Books(client_hits=3, service_hits=2.0, service_rewards=4, defaults=0))


def test_the_household_to_look_at_is_the_one_with_most_baskets() -> None:
    assert most_active(baskets_of([4, 9, 9], [1, 1, 1])) == 9

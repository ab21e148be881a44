"""Sizes and flows of the log of changes add up."""

from datetime import UTC, date, datetime

from api.cli.segments.movement import Movement, flows_figure, latest_moves, sizes_figure
from api.storage.memberships import DailyMove

MOVES = (
    DailyMove(date(2026, 1, 1), None, "s1", "event", 5),
    DailyMove(date(2026, 1, 2), "s1", "s2", "time", 2),
    DailyMove(date(2026, 1, 2), None, "s2", "event", 1),
    DailyMove(date(2026, 1, 9), "s2", None, "event", 1),
    DailyMove(date(2026, 1, 9), "s2", "s1", "refit", 1),
)


def moved(day: int) -> Movement:
    return Movement(datetime(2026, 1, day, tzinfo=UTC), MOVES)


def test_sizes_are_what_came_less_what_left() -> None:
    assert moved(1).sizes() == {"s1": [5, 3, 4], "s2": [0, 3, 1]}
    assert len(sizes_figure(moved(1)).data) == 2


def test_flows_count_from_a_day_on() -> None:
    assert moved(9).flows() == {("s2", "gone", "event"): 1, ("s2", "s1", "refit"): 1}
    (sankey,) = flows_figure(moved(1)).data
    assert sum(sankey.link.value) == 10


def test_a_store_without_changes_has_no_movement() -> None:
    assert latest_moves([], datetime(2026, 1, 1, tzinfo=UTC)) is None

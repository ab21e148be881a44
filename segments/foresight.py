"""When one visitor will leave their segment by doing nothing: for explanations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from segments.membership import Membership, by_segmentation

if TYPE_CHECKING:
    from segments.membership import Transition
    from segments.pipeline import Pipeline


def leaving(pipeline: Pipeline, visitor: str, now: datetime) -> Transition | None:
    """How a visitor leaves their segment by doing nothing; None for never. Takes milliseconds.

    Args:
        pipeline: with the segmentation meant.
        visitor: the id in use.
        now: from when on nothing is done.

    Example:
        >>> from segments.pipeline import Pipeline
        >>> leaving(Pipeline(), "ann", datetime(2026, 3, 1, tzinfo=UTC)) is None
        True
    """
    members = Membership(by_segmentation(pipeline))
    members.touch(visitor, now)
    members.advance(now)
    if members.due_s is None:
        return None
    moves = members.advance(datetime.fromtimestamp(members.due_s, UTC) + timedelta(seconds=1))
    return moves[0] if moves else None

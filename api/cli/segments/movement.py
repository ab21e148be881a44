"""How visitors moved between segments as it happened: figures of the log of changes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import plotly.graph_objects as go

from api.storage.memberships import DailyMove

WHY_COLOURS: Mapping[str, str] = {
    "event": "rgba(60,120,200,.6)",
    "time": "rgba(150,150,150,.5)",
    "refit": "rgba(200,80,60,.6)",
}
WHY = {"event": "they did something", "time": "time passed", "refit": "the model changed"}
NEW, GONE = "new", "gone"


@dataclass(frozen=True, slots=True)
class Movement:
    """Changes of the learned segments.

    Args:
        since: From when on flows count.
        moves: All changes of the log by day, the oldest first.
    """

    since: datetime
    moves: tuple[DailyMove, ...]

    def flows(self) -> dict[tuple[str, str, str], int]:
        """Visitors by source, target and cause since then."""
        counted: dict[tuple[str, str, str], int] = defaultdict(int)
        for move in self.moves:
            if move.day >= self.since.date():
                counted[move.source or NEW, move.target or GONE, move.cause] += move.n
        return dict(counted)

    def sizes(self) -> dict[str, list[int]]:
        """Members of each segment at the end of each day of `days`."""
        days = self.days()
        sizes: dict[str, list[int]] = {}
        changed: dict[tuple[str, object], int] = defaultdict(int)
        for move in self.moves:
            for segment, sign in ((move.source, -1), (move.target, 1)):
                if segment is not None:
                    changed[segment, move.day] += sign * move.n
        for segment in sorted({segment for segment, _ in changed}):
            total, found = 0, []
            for day in days:
                total += changed.get((segment, day), 0)
                found.append(total)
            sizes[segment] = found
        return sizes

    def days(self) -> list[object]:
        """Days on which anybody moved."""
        return list(dict.fromkeys(move.day for move in self.moves))


def sizes_figure(movement: Movement) -> go.Figure:
    """Members day by day."""
    figure = go.Figure()
    days = [str(day) for day in movement.days()]
    for segment, sizes in movement.sizes().items():
        figure.add_scatter(x=days, y=sizes, name=segment, stackgroup="all", line={"shape": "hv"})
    return figure.update_layout(title="Members, day by day")


def flows_figure(movement: Movement) -> go.Figure:
    """A Sankey diagram: from where visitors went on the left, to where on the right."""
    flows = sorted(movement.flows().items())
    left = list(dict.fromkeys(source for (source, _, _), _ in flows))
    right = list(dict.fromkeys(target for (_, target, _), _ in flows))
    figure = go.Figure(
        go.Sankey(
            node={"label": [*left, *right]},
            link={
                "source": [left.index(source) for (source, _, _), _ in flows],
                "target": [len(left) + right.index(target) for (_, target, _), _ in flows],
                "value": [n for _, n in flows],
                "color": [WHY_COLOURS[cause] for (_, _, cause), _ in flows],
                "label": [WHY[cause] for (_, _, cause), _ in flows],
            },
        )
    )
    said = f"Who changed segment since {movement.since:%Y-%m-%d}, and why"
    return figure.update_layout(
        title=f"{said} (blue: they did something, grey: time, red: a refit)"
    )


def latest_moves(moves: Sequence[DailyMove], since: datetime) -> Movement | None:
    """The movement of a store; None where nobody ever moved."""
    return Movement(since, tuple(moves)) if moves else None

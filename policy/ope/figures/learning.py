"""Figures of learning curves, and of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from policy.ope.figures.style import COLOURS, GREY, MOST_VALUES, bars, colours, pale, styled
from policy.ope.progressive import LOGGED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.ope.progressive import Point
    from policy.ope.search import Found


def curves_figure(curves: Mapping[str, Sequence[Point]], policies: Sequence[str] = ()) -> go.Figure:
    """What learners would have earned while they learned, and what was earned meanwhile.

    Args:
        curves: From ``learning_curves``.
        policies: Those of other figures, for the same colours.
    """
    figure = go.Figure()
    names = [*policies, *(name for name in curves if name != LOGGED)]
    colour = colours(names) | {LOGGED: GREY}
    for name, points in curves.items():
        rows = [point.n_rows for point in points]
        known = [np.isfinite([p.interval.low, p.interval.high]).all() for p in points]
        band = [(n, p.interval) for n, p, is_known in zip(rows, points, known, strict=True)
                if is_known]  # fmt: skip
        if name != LOGGED:
            figure.add_scatter(
                x=[n for n, _ in band] + [n for n, _ in reversed(band)],
                y=[one.high for _, one in band] + [one.low for _, one in reversed(band)],
                fill="toself", fillcolor=pale(colour[name]), line={"width": 0},
                hoverinfo="skip", showlegend=False, legendgroup=name,
            )  # fmt: skip
        figure.add_scatter(
            x=rows, y=[point.value for point in points], mode="lines+markers", name=name,
            legendgroup=name, marker={"size": 5},
            line={"color": colour[name], "dash": "dot" if name == LOGGED else "solid"},
            hovertemplate="up to row %{x:,}: %{y:.4f}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_xaxes(title="decisions of the log", rangemode="tozero")
    figure.update_yaxes(title="reward a decision")
    return styled(figure, "While learning")


def search_figure(found: Found) -> go.Figure:
    """Every candidate on the rows that chose, and the winner on those that judged it."""
    told = [one for one in found.tried if one.diagnosis.answerable][:MOST_VALUES]
    names = [one.policy for one in reversed(told)]
    figure = go.Figure()
    figure.add_scatter(
        x=[one.best.value for one in reversed(told)], y=names, mode="markers",
        error_x=bars([one.best for one in reversed(told)]), name="where they were chosen",
        marker={"size": 8, "color": "#9aa3af"},
    )  # fmt: skip
    best = found.judged.best
    figure.add_scatter(
        x=[best.value], y=[found.winner], error_x=bars([best]), mode="markers",
        name="where the winner was judged", marker={"size": 12, "color": COLOURS[0]},
    )  # fmt: skip
    figure.update_yaxes(type="category")
    figure.update_xaxes(title="reward a decision, 95 % interval")
    untold = len(found.tried) - len(told)
    note = [f"{untold} candidates are left out"] if untold else []
    return styled(figure, "Searched", note, 180 + 24 * max(len(names), 3))

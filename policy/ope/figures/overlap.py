"""Figures of how far a log and policies overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from policy.ope.figures.style import GREY, MOST_ACTIONS, colours, short, styled
from policy.ope.overlap import EDGES

if TYPE_CHECKING:
    from policy.ope.overlap import Overlaps


def weights_figure(found: Overlaps) -> go.Figure:
    """Share of the rows at each weight; a long tail to the right means that few rows decide."""
    colour = colours(list(found.of))
    middle = np.sqrt(EDGES[1:] * EDGES[:-1])
    figure = go.Figure()
    for policy, own in found.of.items():
        filled = np.flatnonzero(own.counts)
        if not len(filled):
            continue
        seen = slice(max(filled[0] - 1, 0), filled[-1] + 2)
        figure.add_scatter(
            x=middle[seen].tolist(),
            y=(own.counts[seen] / own.n_rows).tolist(),
            mode="lines",
            line={"shape": "hvh", "color": colour[policy], "width": 2},
            name=f"{policy} ({own.zeros / own.n_rows:.0%} at 0)",
            hovertemplate="weight about %{x:.2f}: %{y:.2%} of the rows<extra></extra>",
        )
    figure.add_vline(x=1.0, line_dash="dot", line_color=GREY)
    figure.update_xaxes(type="log", title="weight: how much likelier than in the log")
    figure.update_yaxes(title="share of the rows", tickformat=".0%")
    return styled(figure, "Weights")


def shares_figure(found: Overlaps) -> go.Figure:
    """How often each action was shown, and how often each policy would show it."""
    first = next(iter(found.of.values()))
    order = np.argsort(-first.logged, kind="stable")[:MOST_ACTIONS]
    names = [found.actions[i] for i in order]
    figure = go.Figure()
    logged = (first.logged[order] / first.n_rows).tolist()
    figure.add_bar(x=names, y=logged, name="shown in the log", marker_color="#c4c9d1")
    colour = colours(list(found.of))
    for policy, own in found.of.items():
        shares = (own.shown[order] / own.n_rows).tolist()
        figure.add_scatter(
            x=names, y=shares, mode="markers", name=policy,
            marker={"size": 9, "color": colour[policy], "symbol": "diamond"},
        )  # fmt: skip
    figure.update_yaxes(title="share of the decisions", tickformat=".0%")
    figure.update_xaxes(type="category", tickvals=names, ticktext=[short(name) for name in names])
    left = len(found.actions) - len(names)
    note = [f"{left} actions that were shown less often are left out"] if left > 0 else []
    return styled(figure, "What is shown", note)

"""How the figures of an evaluation look: colours, error bars, margins, and what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from policy.ope.results import Estimate

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F", "#555555")
"""Told apart by the colour-blind (Okabe and Ito 2008)."""
GREY, LINE = "#6b7280", "#e5e7eb"
MOST_VALUES, MOST_ACTIONS = 40, 25
"""Values of a label, and actions, in one figure."""
LONGEST_NAME = 20


def colours(policies: Sequence[str]) -> dict[str, str]:
    """A colour for each policy, in their order."""
    names = dict.fromkeys(policies)
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def short(name: str) -> str:
    """A name that fits an axis.

    Example:
        >>> short("VEGETABLES - SHELF STABLE")
        'VEGETABLES - SHELF…'
    """
    if len(name) <= LONGEST_NAME:
        return name
    return name[: LONGEST_NAME - 1].rstrip() + "…"


def pale(colour: str) -> str:
    """The same colour for a band behind its line."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def bars(estimates: Sequence[Estimate]) -> dict[str, Any]:
    """Intervals as error bars."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [one.interval.high - one.value for one in estimates],
        "arrayminus": [one.value - one.interval.low for one in estimates],
        "thickness": 2,
        "width": 5,
    }


def hover(one: Estimate) -> str:
    """An estimate as it is told under the pointer."""
    low, high = one.interval.low, one.interval.high
    return f"{one.value:.4f} [{low:.4f}, {high:.4f}], {one.estimator}"


def styled(
    figure: go.Figure,
    title: str,
    notes: Sequence[str] = (),
    height: int = 420,
    *,
    legend: bool = True,
) -> go.Figure:
    """The figure with the look of all, in place.

    Args:
        figure: With its traces and axes.
        title: In a few words.
        notes: What is left out, for the foot.
        height: In pixels.
        legend: Whether there is one.
    """
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.0, "xref": "container", "y": 0.98, "yanchor": "top",
               "font": {"size": 17}},
        height=height + 30 * legend,
        margin={"l": 60, "r": 30, "t": 50 + 40 * legend, "b": 60 + 22 * bool(notes)},
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#1f2937"},
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0.0, "xanchor": "left"},
    )  # fmt: skip
    figure.update_xaxes(gridcolor=LINE, automargin=True)
    figure.update_yaxes(gridcolor=LINE, automargin=True)
    if notes:
        figure.add_annotation(
            text="; ".join(notes), showarrow=False,
            xref="paper", yref="paper", x=0.0, y=0.0, yshift=-62, xanchor="left", yanchor="top",
            font={"size": 11, "color": GREY},
        )  # fmt: skip
    return figure

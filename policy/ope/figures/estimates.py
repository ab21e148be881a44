"""Figures of what policies would have earned: overall, by label, beyond a baseline.

Behind the numbers. What the log cannot tell is left out, and said to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from policy.ope.figures.style import GREY, MOST_VALUES, bars, colours, hover, styled
from policy.ope.results import OVERALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.ope.results import Evaluation, Result


def estimates_figure(found: Evaluation) -> go.Figure:
    """What each policy would have earned a decision, with its interval; the best on top."""
    overall = [one for one in found.results if one.group.label == OVERALL]
    told = sorted((one for one in overall if one.diagnosis.answerable), key=_value)
    untold = [one.policy for one in overall if not one.diagnosis.answerable]
    colour = colours([one.policy for one in overall])
    figure = go.Figure()
    for one in told:
        figure.add_scatter(
            x=[one.best.value],
            y=[one.policy],
            error_x=bars([one.best]),
            mode="markers",
            marker={"size": 11, "color": colour[one.policy]},
            name=one.policy,
            hovertemplate=hover(one.best) + "<extra>%{y}</extra>",
        )
    figure.add_vline(
        x=found.mean_reward, line_dash="dot", line_color=GREY, annotation_text="as logged",
        annotation_position="top",
    )  # fmt: skip
    figure.update_yaxes(type="category", categoryarray=[one.policy for one in told])
    figure.update_xaxes(title="reward a decision, 95 % interval")
    height = 150 + 38 * max(len(told), 2)
    notes = [f"left out, the log cannot tell: {', '.join(untold)}"] if untold else []
    return styled(figure, "What each policy would have earned", notes, height, legend=False)


def groups_figure(found: Evaluation, label: str) -> go.Figure:
    """The same by the values of a label, such as the days or segments of `by`."""
    own = [one for one in found.results if one.group.label == label]
    told = [one for one in own if one.diagnosis.answerable]
    values = _shown_values(told)
    colour = colours([one.policy for one in found.results])
    figure = go.Figure()
    for policy in dict.fromkeys(one.policy for one in told):
        mine = [one for one in told if one.policy == policy and one.group.value in values]
        figure.add_scatter(
            x=[one.group.value for one in mine],
            y=[one.best.value for one in mine],
            error_y=bars([one.best for one in mine]),
            mode="markers",
            marker={"size": 8, "color": colour[policy]},
            name=policy,
        )
    figure.add_hline(
        y=found.mean_reward, line_dash="dot", line_color=GREY, annotation_text="as logged"
    )
    _by_value(figure, values)
    figure.update_yaxes(title="reward a decision")
    return styled(figure, f"By {label}", _untold(own, told, values))


def lift_figure(found: Evaluation, label: str = OVERALL) -> go.Figure:
    """What each policy earns beyond the baseline, overall or by the values of a label."""
    own = [one for one in found.results if one.group.label == label and one.advantage is not None]
    told = [one for one in own if one.diagnosis.answerable]
    values = _shown_values(told)
    colour = colours([one.policy for one in found.results])
    figure = go.Figure()
    for policy in dict.fromkeys(one.policy for one in told):
        mine = [one for one in told if one.policy == policy and one.group.value in values]
        gains = [one.advantage for one in mine if one.advantage is not None]
        figure.add_scatter(
            x=[policy if label == OVERALL else one.group.value for one in mine],
            y=[one.value for one in gains],
            error_y=bars(gains),
            mode="markers",
            marker={"size": 9, "color": colour[policy]},
            name=policy,
            hovertemplate="%{y:+.4f}<extra>" + policy + "</extra>",
        )
    figure.add_hline(y=0.0, line_color=GREY)
    _by_value(figure, values)
    figure.update_yaxes(title="reward beyond the baseline's")
    title = "Lift" if label == OVERALL else f"Lift by {label}"
    return styled(figure, title, _untold(own, told, values), legend=label != OVERALL)


def support_figure(found: Evaluation, label: str) -> go.Figure:
    """How much of the log speaks of each policy, by the values of a label: effective rows."""
    own = [one for one in found.results if one.group.label == label]
    policies = list(dict.fromkeys(one.policy for one in own))
    values = sorted(dict.fromkeys(one.group.value for one in own))[:MOST_VALUES]
    cells = {(one.policy, one.group.value): one.diagnosis for one in own}
    table = [[cells.get((policy, value)) for value in values] for policy in policies]
    shares = [
        [cell.effective_rows / cell.n_rows if cell and cell.n_rows else 0.0 for cell in row]
        for row in table
    ]
    texts = [[f"{cell.effective_rows:,.0f}" if cell else "" for cell in row] for row in table]
    figure = go.Figure(
        go.Heatmap(
            x=values, y=policies, z=shares, text=texts, texttemplate="%{text}", zmin=0.0, zmax=1.0,
            colorscale=[[0.0, "#fde8e4"], [0.2, "#fef6e0"], [1.0, "#b7dccb"]],
            colorbar={"title": "of the rows", "tickformat": ".0%"},
            hovertemplate="%{y}, %{x}: %{text} effective rows, %{z:.0%}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(type="category", title=label)
    figure.update_yaxes(type="category", autorange="reversed")
    height = 160 + 34 * max(len(policies), 2)
    return styled(figure, f"Effective rows by {label}", height=height, legend=False)


def _by_value(figure: go.Figure, values: set[str]) -> None:
    """Groups side by side, policies side by side in each."""
    if values - {OVERALL}:
        order = {"categoryorder": "array", "categoryarray": sorted(values)}
        figure.update_xaxes(type="category", **order)
        figure.update_layout(scattermode="group", scattergap=0.3)
    else:
        figure.update_xaxes(type="category")


def _value(one: Result) -> float:
    return one.best.value


def _shown_values(told: Sequence[Result]) -> set[str]:
    """Values of a label that fit one figure: those of the most rows."""
    rows: dict[str, int] = {}
    for one in told:
        rows[one.group.value] = max(rows.get(one.group.value, 0), one.diagnosis.n_rows)
    return set(sorted(rows, key=lambda value: -rows[value])[:MOST_VALUES])


def _untold(own: Sequence[Result], told: Sequence[Result], values: set[str]) -> list[str]:
    """What a figure by label leaves out."""
    notes = []
    for policy in dict.fromkeys(one.policy for one in own):
        total = sum(one.policy == policy for one in own)
        n_told = sum(one.policy == policy for one in told)
        if n_told < total:
            notes.append(f"{policy} {total - n_told} of {total}" if total > 1 else policy)
    notes = [f"left out, the log cannot tell: {', '.join(notes)}"] if notes else []
    if len({one.group.value for one in told}) > len(values):
        notes.append(f"shown are the {len(values)} with the most decisions")
    return notes

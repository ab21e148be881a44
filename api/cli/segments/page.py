"""Segments as a page that needs nothing from the network: tables in words, figures by plotly."""

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.offline import get_plotlyjs

from api.cli.segments.files import natural
from api.cli.segments.movement import flows_figure, sizes_figure
from api.cli.segments.report import Report, placed
from api.cli.segments.tables import (
    CAUSES,
    changes,
    flow_cells,
    heads,
    moved_in_words,
    segment_cells,
    verdicts,
)
from segments.cluster.family import NOT_BEHAVIOUR
from segments.evaluation.migration import Migration

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.3rem .8rem;text-align:left;"
    "border-bottom:1px solid #ddd}"
)
_COLOURS = qualitative.Plotly
_WHY_COLOURS = {
    "kept": "rgba(150,150,150,.35)",
    "model": "rgba(200,80,60,.6)",
    "behaviour": "rgba(60,120,200,.6)",
    "both": "rgba(150,90,170,.6)",
    "came": "rgba(80,160,90,.6)",
    "left": "rgba(80,80,80,.6)",
}


def page_of(found: Report, rng: np.random.Generator) -> str:
    """Sizes, value, how far to trust them, rules, profiles, a map, and sizes over the fits."""
    rules = [(segment_id, said) for segment_id, said in found.rules.rules]
    parts = [
        *map(_paragraph, verdicts(found)),
        _table(heads(found), segment_cells(found)),
        _figure(_sizes(found)),
        *([_figure(_stability(found))] if found.stability else []),
        "<h2>In rules</h2>",
        _table(("segment", "rule"), rules),
        "<h2>Profiles</h2>",
        _figure(_profiles(found)),
        _figure(_map(found, rng)),
        *([_figure(_history(found))] if len(found.history) > 1 else []),
        *_moved(found),
        _paragraph(f"At this fit: {changes(found.fit.segmentation)}."),
    ]
    return _page(f"Segments of {found.fit.name}", parts)


def comparison_of(found: Migration, ids: Sequence[str], names: tuple[str, str]) -> str:
    """Flows between two fits, coloured by their cause."""
    title = f"Segments from {names[0]} to {names[1]}"
    parts = [
        _paragraph(moved_in_words(found)),
        _figure(_flows(found, ids, names)),
        _table(("from", "to", "why", "visitors"), flow_cells(found)),
    ]
    return _page(title, parts)


def _page(title: str, parts: Sequence[str]) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script><h1>{html.escape(title)}</h1>"
        f"{''.join(parts)}</html>"
    )


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _figure(figure: go.Figure) -> str:
    figure.update_layout(template="plotly_white")
    return str(figure.to_html(full_html=False, include_plotlyjs=False))


def _sizes(found: Report) -> go.Figure:
    ids = [segment.id for segment in found.segments]
    total = max(sum(found.sizes), 1)
    figure = go.Figure(go.Bar(name="visitors", x=ids, y=[n / total for n in found.sizes]))
    money = [
        size * (segment.value_cents or 0.0)
        for segment, size in zip(found.segments, found.sizes, strict=True)
    ]
    if sum(money):
        figure.add_bar(name="revenue so far", x=ids, y=[cents / sum(money) for cents in money])
    figure.update_layout(title="Shares of visitors and of revenue", barmode="group")
    return figure.update_yaxes(tickformat=".0%")


def _stability(found: Report) -> go.Figure:
    assert found.stability is not None  # noqa: S101  # as its caller checked
    ids = [segment.id for segment in found.segments][: len(found.stability.jaccard)]
    figure = go.Figure(go.Bar(x=ids, y=list(found.stability.jaccard)))
    figure.add_hline(y=0.6, line_dash="dot", annotation_text="below: not to be built on")
    figure.update_layout(title="Does a segment come back when fitted again? (Jaccard index)")
    return figure.update_yaxes(range=[0, 1])


def _profiles(found: Report) -> go.Figure:
    """Means of each segment against those of all visitors, in units of the spread between them."""
    names = found.crowd.feature_names
    used = [i for i, name in enumerate(names) if name not in NOT_BEHAVIOUR]
    means = np.array([segment.means for segment in found.segments])[:, used]
    shares = np.array([segment.share for segment in found.segments])
    centre = shares @ means
    spread = np.sqrt(shares @ (means - centre) ** 2)
    told = [
        [f"{natural(names[i], mean):,.3g}" for i, mean in zip(used, row, strict=True)]
        for row in means.tolist()
    ]
    figure = go.Figure(
        go.Heatmap(
            x=[names[i] for i in used],
            y=[segment.id for segment in found.segments],
            z=((means - centre) / np.maximum(spread, 1e-9)).tolist(),
            zmid=0.0,
            colorscale="RdBu",
            text=told,
            hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(title="More (blue) and less (red) than visitors on average, at the fit")
    return figure


def _map(found: Report, rng: np.random.Generator) -> go.Figure:
    points, ids = placed(found, rng)
    figure = go.Figure()
    for segment in found.segments:
        own = points[[one == segment.id for one in ids]]
        figure.add_scatter(
            x=own[:, 0].tolist(), y=own[:, 1].tolist(), mode="markers", name=segment.id,
            marker={"size": 4, "opacity": 0.6},
        )  # fmt: skip
    figure.update_layout(title="Visitors by behaviour: near means alike (principal components)")
    return figure


def _moved(found: Report) -> list[str]:
    """Sizes over time and flows, where the store knows of any move."""
    movement = found.movement
    if movement is None:
        return []
    flows = [_figure(flows_figure(movement))] if movement.flows() else []
    return [_figure(sizes_figure(movement)), *flows]


def _history(found: Report) -> go.Figure:
    ids = dict.fromkeys(segment_id for past in found.history for segment_id, _ in past.shares)
    figure = go.Figure()
    for segment_id in ids:
        shares = [dict(past.shares).get(segment_id, 0.0) for past in found.history]
        when = [past.fitted_at.isoformat() for past in found.history]
        figure.add_scatter(x=when, y=shares, name=segment_id, stackgroup="all")
    figure.update_layout(title="Shares of the visitors, fit by fit")
    return figure.update_yaxes(tickformat=".0%", range=[0, 1])


def _flows(found: Migration, ids: Sequence[str], names: tuple[str, str]) -> go.Figure:
    """A Sankey diagram: the old fit's segments left, the new one's right."""
    ways = sorted(found.flows().items(), key=lambda one: str(one[0]))
    left = [*(one for one in ids if any(way[0] == one for way, _ in ways)), None]
    right = [*(one for one in ids if any(way[1] == one for way, _ in ways)), None]
    sources = [left.index(way[0]) for way, _ in ways]
    targets = [len(left) + right.index(way[1]) for way, _ in ways]
    figure = go.Figure(
        go.Sankey(
            node={
                "label": [
                    *(one or "not known yet" for one in left),
                    *(one or "not known any more" for one in right),
                ],
                "color": [_colour(one, ids) for one in (*left, *right)],
            },
            link={
                "source": sources,
                "target": targets,
                "value": [n for _, n in ways],
                "color": [_WHY_COLOURS[way[2]] for way, _ in ways],
                "label": [CAUSES[way[2]] for way, _ in ways],
            },
        )
    )
    figure.update_layout(title=f"Who moved from {names[0]} (left) to {names[1]} (right), and why")
    return figure


def _colour(segment_id: str | None, ids: Sequence[str]) -> str:
    """A segment has one colour on both sides."""
    return "#bbb" if segment_id is None else _COLOURS[ids.index(segment_id) % len(_COLOURS)]

"""What an evaluation found: as a table, as JSON, as a page that needs nothing from the network."""

import html
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from rich.table import Table

from api.cli.intervals import bounds, interval_json, number_json
from policy.ope.evaluate import OVERALL, Estimate, Evaluation, Result

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.3rem .8rem;text-align:left;"
    "border-bottom:1px solid #ddd}.no{color:#a40000}"
)


def table_of(found: Evaluation) -> Table:
    """The overall results, a line a policy."""
    table = Table(title=f"{found.n_rows:,} decisions, which earned {found.mean_reward:.4f} each")
    for name in ("policy", "would have earned", "95 % interval", "effective rows", "advantage"):
        table.add_column(name)
    for result in overall(found):
        table.add_row(*_cells(result))
    return table


def overall(found: Evaluation) -> list[Result]:
    """One result for each policy."""
    return [result for result in found.results if result.group.label == OVERALL]


def _cells(result: Result) -> tuple[str, ...]:
    best, rows = result.best, f"{result.diagnosis.effective_rows:,.0f}"
    advantage = ""
    if result.advantage is not None:
        advantage = f"{result.advantage.value:+.4f} {bounds(result.advantage.interval, '+.4f')}"
    if not result.diagnosis.answerable:
        return result.policy, "the log cannot tell", "", rows, ""
    return result.policy, f"{best.value:.4f}", bounds(best.interval, ".4f"), rows, advantage


def json_of(found: Evaluation) -> dict[str, Any]:
    """Every number, with null for what is unknown or unbounded."""
    return {
        "n_rows": found.n_rows,
        "mean_reward": found.mean_reward,
        "results": [_result(result) for result in found.results],
    }


def _result(result: Result) -> dict[str, Any]:
    seen = result.diagnosis
    return {
        "policy": result.policy,
        "label": result.group.label,
        "value": result.group.value,
        "answerable": seen.answerable,
        "reasons": list(seen.reasons),
        "n_rows": seen.n_rows,
        "effective_rows": seen.effective_rows,
        "largest_weight": seen.largest_weight,
        "mean_weight": seen.mean_weight,
        "unsupported": seen.unsupported,
        "estimates": [_estimate(one) for one in result.estimates],
        "advantage": None if result.advantage is None else _estimate(result.advantage),
        "any_time": None if result.always is None else interval_json(result.always),
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {
        "estimator": one.estimator,
        "value": number_json(one.value),
        "error": number_json(one.error),
        "interval": interval_json(one.interval),
    }


def page_of(found: Evaluation, title: str) -> str:
    """A page with a figure for all rows and for each label, and the refusals in words."""
    labels = dict.fromkeys(result.group.label for result in found.results)
    figures = [
        _figure(found, label).to_html(full_html=False, include_plotlyjs=False) for label in labels
    ]
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(result)) + "</tr>"
        for result in overall(found)
    )
    refusals = "".join(
        f'<p class="no">{html.escape(result.policy)}: {html.escape(reason)}.</p>'
        for result in overall(found)
        for reason in result.diagnosis.reasons
    )
    heads = "".join(
        f"<th>{name}</th>"
        for name in ("policy", "would have earned", "95 % interval", "effective rows", "advantage")
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script><h1>{html.escape(title)}</h1>"
        f"<p>{found.n_rows:,} decisions, which earned {found.mean_reward:.4f} each.</p>"
        f"<table><tr>{heads}</tr>{rows}</table>{refusals}{''.join(figures)}</html>"
    )


def _figure(found: Evaluation, label: str) -> go.Figure:
    """Estimates with their intervals; what the log cannot tell is left out."""
    figure = go.Figure()
    shown = [one for one in found.results if one.group.label == label and one.diagnosis.answerable]
    for policy in dict.fromkeys(one.policy for one in shown):
        own = [one for one in shown if one.policy == policy]
        values = [one.best.value for one in own]
        figure.add_scatter(
            x=[policy if label == OVERALL else one.group.value for one in own],
            y=values,
            mode="markers",
            name=policy,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [one.best.interval.high - one.best.value for one in own],
                "arrayminus": [one.best.value - one.best.interval.low for one in own],
            },
        )
    figure.add_hline(y=found.mean_reward, line_dash="dot", annotation_text="as logged")
    name = "all decisions" if label == OVERALL else f"by {label}"
    figure.update_layout(title=f"Reward a decision, {name}", template="plotly_white")
    figure.update_xaxes(type="category")
    return figure

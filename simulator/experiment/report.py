"""An experiment as files: a page to show, and the same as JSON and, with pyarrow, as parquet.

The page needs nothing from the network: plotly's JavaScript is in it.
"""

from __future__ import annotations

import html
import importlib.util
import json
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from simulator.experiment.summary import Row, lives_of, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.experiment.life import Lives
    from simulator.experiment.run import Cell, Plan

SMOOTH_DAYS = 7
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
)


def write_report(plan: Plan, results: dict[Cell, Lives], folder: Path) -> list[Path]:
    """The report's files.

    Args:
        plan: What was compared.
        results: Of each cell.
        folder: Where to write; must be there.

    Returns:
        What was written.
    """
    rows = summarise(plan, results)
    page, data = folder / "report.html", folder / "report.json"
    page.write_text(_page(plan, results, rows), encoding="utf-8")
    data.write_text(json.dumps([_plain(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    written = [page, data]
    if importlib.util.find_spec("pyarrow") is not None:
        written.append(_parquet(plan, results, folder / "shoppers.parquet"))
    return written


def _parquet(plan: Plan, results: dict[Cell, Lives], path: Path) -> Path:
    """A row for each shopper of each cell, so that any other statistic can be had."""
    import pyarrow as pa  # noqa: PLC0415  # of the extra demo
    import pyarrow.parquet as pq  # noqa: PLC0415

    cells = list(results.items())
    n = plan.n_shoppers
    columns = {
        "scenario": [cell.scenario for cell, _ in cells for _ in range(n)],
        "policy": [cell.policy for cell, _ in cells for _ in range(n)],
        "seed": [cell.seed for cell, _ in cells for _ in range(n)],
        "shopper": [shopper for _ in cells for shopper in range(n)],
        "return_cents": np.concatenate([lives.returns_cents for _, lives in cells]),
    }
    pq.write_table(pa.table(columns), path)
    return path


def _page(plan: Plan, results: dict[Cell, Lives], rows: list[Row]) -> str:
    parts = [
        "<!doctype html><meta charset='utf-8'><title>Segue experiment</title>",
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script>",
        "<h1>Policies on simulated shoppers</h1>",
        f"<p>{plan.n_shoppers:,} shoppers and {len(plan.seeds)} seeds a cell. Every policy met "
        "the same shoppers with the same luck; gains over the first policy are differences of "
        "twins, with 95&nbsp;% intervals.</p>",
    ]
    for scenario in plan.scenarios:
        own = [row for row in rows if row.scenario == scenario]
        lives = {p: lives_of(plan, results, scenario, p) for p in plan.policies}
        parts += [f"<h2>{html.escape(scenario)}</h2>", _table(own)]
        figures = (_gains(own), _curves(lives), _mix(lives))
        parts += [figure.to_html(full_html=False, include_plotlyjs=False) for figure in figures]
    return "\n".join(parts)


def _table(rows: list[Row]) -> str:
    heads = (
        "policy", "return", "gain over the first", "95 % interval", "stayed", "all channels open",
        "fatigue", "reference price", "twins save", "CPU s",
    )  # fmt: skip
    lines = [
        (
            html.escape(row.policy),
            f"{row.mean / 100:,.2f}",
            f"{row.gain / 100:+,.2f}",
            f"{row.gain_low / 100:+,.2f} to {row.gain_high / 100:+,.2f}",
            f"{row.stayed:.1%}",
            f"{row.subscribed:.1%}",
            f"{row.fatigue:.2f}",
            f"{row.reference:.3f}",
            "" if math.isnan(row.variance_ratio) else f"{row.variance_ratio:.1f}×",  # noqa: RUF001
            f"{row.seconds:.1f}",
        )
        for row in rows
    ]
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _gains(rows: list[Row]) -> Any:
    figure = go.Figure(
        go.Bar(
            x=[row.policy for row in rows],
            y=[row.gain / 100 for row in rows],
            error_y={"array": [(row.gain_high - row.gain) / 100 for row in rows]},
        )
    )
    return figure.update_layout(title="Gain a shopper over the first policy", height=360)


def _curves(lives: dict[str, list[Lives]]) -> Any:
    figure = go.Figure()
    for policy, seeds in lives.items():
        daily = np.mean([one.daily_cents for one in seeds], axis=0) / 100
        window = np.ones(min(SMOOTH_DAYS, len(daily)))
        smooth = np.convolve(daily, window / len(window), mode="valid")
        figure.add_scatter(y=smooth, name=policy, mode="lines")
    title = "Reward a shopper and day, mean of seven days"
    return figure.update_layout(title=title, xaxis_title="day", height=360)


def _mix(lives: dict[str, list[Lives]]) -> Any:
    figure = go.Figure()
    n_actions = next(iter(lives.values()))[0].action_counts.shape[1]
    totals = {
        policy: np.sum([one.action_counts for one in seeds], axis=0)
        for policy, seeds in lives.items()
    }
    labels = [
        f"{policy}, segment {segment}"
        for policy, counts in totals.items()
        for segment in range(len(counts))
    ]
    shares = np.concatenate([c / np.maximum(c.sum(1, keepdims=True), 1) for c in totals.values()])
    for action in range(n_actions):
        figure.add_bar(y=labels, x=shares[:, action], name=f"action {action}", orientation="h")
    height = 200 + 18 * len(labels)
    return figure.update_layout(title="What was done, by segment", barmode="stack", height=height)


def _plain(row: Row) -> dict[str, Any]:
    """JSON has no NaN."""
    values = asdict(row)
    for field in fields(row):
        value = values[field.name]
        if isinstance(value, float) and math.isnan(value):
            values[field.name] = None
    return values

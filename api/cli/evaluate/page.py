"""What an evaluation found, as a page that needs nothing from the network."""

import html
from collections.abc import Iterator, Sequence
from typing import Any

from plotly.offline import get_plotlyjs

from api.cli.evaluate.report import HEADS, Section, cells, overall, verdict_of
from policy.ope.figures import (
    curves_figure,
    estimates_figure,
    groups_figure,
    lift_figure,
    search_figure,
    shares_figure,
    support_figure,
    weights_figure,
)
from policy.ope.results import OVERALL, Result

_STYLE = """
:root{--ink:#1f2937;--soft:#6b7280;--line:#e5e7eb;--paper:#fff;--ground:#f6f7f9;--no:#b42318}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.7rem;margin:0 0 .25rem;letter-spacing:-.01em}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem}
.lead{color:var(--soft);margin:0 0 1.5rem;max-width:52rem}
.card{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:1rem 1.25rem;
margin:0 0 1rem;overflow-x:auto;min-width:0}
.numbers{display:flex;flex-wrap:wrap;gap:1rem;margin:0 0 1rem}
.number{flex:1 1 11rem;background:var(--paper);border:1px solid var(--line);border-radius:12px;
padding:.9rem 1.25rem}
.number b{display:block;font-size:1.5rem;font-weight:650;font-variant-numeric:tabular-nums}
.number span{color:var(--soft);font-size:.85rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--soft);font-size:.82rem;text-align:left}
th,td{padding:.5rem .75rem .5rem 0;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}
.no{color:var(--no)}
.alarm{background:#fef3f2;border:1px solid var(--no);border-radius:12px;color:var(--no);
font-weight:600;padding:.9rem 1.25rem}
.how{color:var(--soft);font-size:.88rem;margin:.25rem 0 0}
.pair{display:grid;grid-template-columns:repeat(auto-fill,minmax(28rem,1fr));gap:1rem}
@media(max-width:34rem){.pair{grid-template-columns:1fr}}
"""

_HOW = {
    "value": "A dot is the estimate, the bar its 95 % interval. Where the bars of two policies "
    "overlap, look at the lift: it compares on the same rows.",
    "lift": "What a policy earns beyond {baseline!r}, doubly robust on the same rows; intervals "
    "are widened for the number of policies. Above 0 is better.",
    "weights": "A weight is how much likelier a policy shows what was shown. All at 1: the log is "
    "its own (the dotted line). Few rows far to the right carry the whole estimate: trust it less.",
    "shares": "A policy that shows what the log hardly ever did is judged by few rows.",
    "support": "Rows of a log of its own that would tell as much. Below 50, nothing is said.",
    "group": "The same estimates, by {label}.",
    "curves": "Each row is judged by what was learned before it, and then learned. The band is the "
    "95 % interval of each stretch; dotted is what was earned at the time.",
    "search": "Grey: every candidate on the rows that chose among them, where the best looks "
    "better than it is. Blue: the winner on later rows that had no part in it: believe this.",
}


def page_of(sections: Sequence[Section], title: str) -> str:
    """A page with the numbers, the refusals in words, and the figures, log by log."""
    several = len(sections) > 1
    body = "".join(part for section in sections for part in _parts(section, several=several))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script><main><h1>{html.escape(title)}</h1>"
        '<p class="lead">What policies would have earned, estimated from decisions that were made '
        "with known probabilities. Where the log cannot tell, it says so.</p>"
        f"{body}</main></html>"
    )


def _parts(section: Section, *, several: bool) -> Iterator[str]:
    if several:
        yield f"<h2>{html.escape(section.name)}</h2>"
    found = section.evaluation
    yield from (f'<p class="alarm">{html.escape(one)}.</p>' for one in found.warnings)
    yield _numbers(section)
    yield _card(_table(section))
    yield _figure(estimates_figure(found), _HOW["value"])
    if _compares(section, OVERALL):
        yield _figure(lift_figure(found), _lift(section))
    if section.overlaps is not None:
        yield '<div class="pair">'
        yield _figure(weights_figure(section.overlaps), _HOW["weights"])
        yield _figure(shares_figure(section.overlaps), _HOW["shares"])
        yield "</div>"
    for label in dict.fromkeys(one.group.label for one in found.results):
        if label != OVERALL:
            yield from _by_label(section, label)
    if section.curves is not None:
        names = [one.policy for one in overall(found)]
        yield _figure(curves_figure(section.curves, names), _HOW["curves"])
    if section.searched is not None:
        verdict = verdict_of(section.searched)
        yield _figure(search_figure(section.searched), f"{verdict} {_HOW['search']}")


def _by_label(section: Section, label: str) -> Iterator[str]:
    found = section.evaluation
    if any(one.diagnosis.answerable for one in found.results if one.group.label == label):
        yield _figure(groups_figure(found, label), _HOW["group"].format(label=label))
    if _compares(section, label):
        yield _figure(lift_figure(found, label), _lift(section))
    yield _figure(support_figure(found, label), _HOW["support"])
    yield _card(_overlap(section, label))


def _overlap(section: Section, label: str) -> str:
    """How far log and policies overlap in each group, and why some cannot be judged."""
    heads = (label, "policy", "rows", "effective", "largest weight", "never shown", "why not")
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _seen(result)) + "</tr>"
        for result in section.evaluation.results
        if result.group.label == label
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    return (
        f"<details><summary>Overlap by {html.escape(label)}, in numbers</summary>"
        f"<table><tr>{head}</tr>{rows}</table></details>"
    )


def _seen(result: Result) -> tuple[str, ...]:
    seen = result.diagnosis
    return (
        result.group.value,
        result.policy,
        f"{seen.n_rows:,}",
        f"{seen.effective_rows:,.0f}",
        f"{seen.largest_weight:,.1f}",
        f"{seen.unsupported:.1%}",
        "; ".join(seen.reasons),
    )


def _compares(section: Section, label: str) -> bool:
    """Whether there is any lift to draw."""
    return any(
        one.advantage is not None and one.diagnosis.answerable
        for one in section.evaluation.results
        if one.group.label == label
    )


def _lift(section: Section) -> str:
    return _HOW["lift"].format(baseline=section.baseline)


def _numbers(section: Section) -> str:
    found = section.evaluation
    told = [one for one in overall(found) if one.diagnosis.answerable]
    numbers = [
        (f"{found.n_rows:,}", "decisions judged"),
        (f"{found.mean_reward:.4f}", "reward a decision, as logged"),
    ]
    if told:
        best = max(told, key=lambda one: one.best.value)
        numbers.append((f"{best.best.value:.4f}", f"highest estimate: {best.policy}"))
    numbers.append((f"{len(told)} of {len(overall(found))}", "policies that the log can judge"))
    cards = "".join(
        f'<div class="number"><b>{html.escape(number)}</b><span>{html.escape(what)}</span></div>'
        for number, what in numbers
    )
    return f'<div class="numbers">{cards}</div>'


def _table(section: Section) -> str:
    results = overall(section.evaluation)
    heads = "".join(f"<th>{name}</th>" for name in HEADS)
    rows = "".join(_row(result) for result in results)
    refusals = "".join(
        f'<p class="no">{html.escape(result.policy)}: {html.escape(reason)}.</p>'
        for result in results
        for reason in result.diagnosis.reasons
    )
    refusals += "".join(f'<p class="no">{html.escape(one)}.</p>' for one in section.warnings)
    return f"<table><tr>{heads}</tr>{rows}</table>{refusals}"


def _row(result: Result) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(result)) + "</tr>"


def _figure(figure: Any, how: str) -> str:
    config = {"displayModeBar": False, "responsive": True}
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return _card(f'{drawn}<p class="how">{html.escape(how)}</p>')


def _card(inside: str) -> str:
    return f'<div class="card">{inside}</div>'

"""Segments as tables for a terminal."""

from collections.abc import Sequence
from itertools import groupby, islice

from rich.markup import escape
from rich.table import Table

from api.cli.segments.report import Report
from api.loop.clock import from_us
from api.storage.base import RefitRow
from api.storage.memberships import TransitionRow
from api.storage.response_log import Response
from api.storage.visitor_log import SavedFit
from segments.cluster.segmentation import Segment, Segmentation
from segments.evaluation.migration import Migration

CAUSES = {
    "kept": "stayed",
    "model": "the model changed",
    "behaviour": "they changed",
    "both": "both changed",
    "came": "came",
    "left": "left",
}
_NUMBERS = ("visitors", "share", "segments", "fit", "shown", "reward", "standard error")
SEGMENT_HEADS = ("segment", "visitors", "share", "revenue each", "who they are")


def of_fits(fits: Sequence[SavedFit]) -> Table:
    """A line a fit, the newest last."""
    heads = ("fit", "fitted at", "visitors", "segments", "renamed share", "what became of them")
    table = _table("", heads)
    for one in fits:
        churn = one.segmentation.churn
        n_visitors = sum(segment.size for segment in one.segmentation.segments)
        table.add_row(
            str(one.version),
            f"{one.fitted_at:%Y-%m-%d %H:%M}",
            f"{n_visitors:,}",
            str(len(one.segmentation.segments)),
            "" if churn is None else f"{churn:.1%}",
            escape(changes(one.segmentation)),
        )
    return table


def of_refits(rows: Sequence[RefitRow]) -> Table:
    """A line for each refit that was not adopted, or was in spite of its churn."""
    table = _table("Refits with a story", ("when", "family", "outcome", "renamed share", "why"))
    for row in rows:
        table.add_row(
            f"{from_us(row.at_us):%Y-%m-%d %H:%M}",
            row.family,
            row.outcome,
            "" if row.churn is None else f"{row.churn:.1%}",
            escape(row.reason or ""),
        )
    return table


def of_moves(flows: Sequence[tuple[str, str | None, str | None, str, int]], title: str) -> Table:
    """A line for each way that visitors went, by what brought it about."""
    table = _table(title, ("grouping", "from", "to", "why", "visitors"))
    for grouping, source, target, cause, n in flows:
        table.add_row(escape(grouping), source or "-", target or "-", cause, f"{n:,}")
    return table


def change_in_words(row: TransitionRow) -> str:
    """A change of segment in a sentence."""
    why = {"event": "by an event", "time": "as time passed", "refit": "by a refit"}[row.cause]
    way = f"from {row.source or 'nowhere'} to {row.target or 'nowhere'}"
    return f"{from_us(row.at_us):%Y-%m-%d %H:%M}: {way} ({row.grouping}), {why}."


def in_words(segment: Segment) -> str:
    """A segment on a line."""
    return f"{segment.id}: {segment.size:,} ({segment.share:.1%}), {segment.description}"


def changes(segmentation: Segmentation) -> str:
    """The lineage in a few words, such as "5 kept, s7 split from s2"."""
    kept = sum(step.change == "kept" for step in segmentation.lineage)
    words = [f"{kept} kept"] if kept else []
    for step in segmentation.lineage:
        sources = ", ".join(step.sources)
        if step.change == "split":
            words.append(f"{step.segment_id} split from {sources}")
        elif step.change == "merged":
            words.append(f"{step.segment_id} merged from {sources}")
        elif step.change in ("born", "died"):
            words.append(f"{step.segment_id} {step.change}")
    return ", ".join(words)


def segment_cells(found: Report) -> list[tuple[str, ...]]:
    """A line a segment under `SEGMENT_HEADS`, and what each went on to spend where it is known."""
    worth = dict(found.worth.means) if found.worth else {}
    total = max(len(found.ids), 1)
    rows = []
    for segment, size in zip(found.segments, found.sizes, strict=True):
        value = "" if segment.value_cents is None else f"{segment.value_cents / 100:,.2f}"
        row = [segment.id, f"{size:,}", f"{size / total:.1%}", value, segment.description]
        if found.worth is not None:
            outcome = worth.get(segment.id)
            row.insert(4, "" if outcome is None else f"{outcome / 100:,.2f}")
        rows.append(tuple(row))
    return rows


def heads(found: Report) -> tuple[str, ...]:
    """Of `segment_cells`."""
    if found.worth is None:
        return SEGMENT_HEADS
    return (*SEGMENT_HEADS[:4], f"{found.worth.said} each", SEGMENT_HEADS[4])


def of_segments(found: Report) -> Table:
    """A line a segment."""
    when = f", {found.crowd.at:%Y-%m-%d %H:%M}" if found.crowd.at else ""
    table = _table(f"{found.fit.name}, {len(found.ids):,} visitors{when}", heads(found))
    for row in segment_cells(found):
        table.add_row(*map(escape, row))
    return table


def verdicts(found: Report) -> list[str]:
    """How far the segments can be trusted, a sentence each."""
    said = []
    if found.stability is not None:
        shaky = [
            segment.id
            for segment, jaccard in zip(found.segments, found.stability.jaccard, strict=False)
            if jaccard < 0.6
        ]
        said.append(
            f"Fitted again on visitors drawn with replacement: adjusted Rand index "
            f"{found.stability.ari_mean:.3f} on average, {found.stability.ari_min:.3f} at worst"
            + (f"; not to be built on: {', '.join(shaky)}." if shaky else ".")
        )
    if found.apart.silhouette is not None:
        said.append(f"Silhouette {found.apart.silhouette:.2f} (1 is far apart, 0 is touching).")
    if found.worth is not None:
        said.append(
            f"Of the variance of {found.worth.said}, {found.worth.value.eta_squared:.1%} lies "
            f"between segments{_beside(found.worth.baseline)}."
        )
    if found.missed:
        said.append(
            f"It misses the criteria: {', '.join(found.missed)}. `segue segments search` looks for "
            "a better one."
        )
    said.append(f"The rules agree with the segments for {found.rules.fidelity:.0%} of visitors.")
    return said


def _beside(baseline: float | None) -> str:
    return "" if baseline is None else f"; the better of RFM and past spend has {baseline:.1%}"


def flow_cells(found: Migration) -> list[tuple[str, str, str, str]]:
    """From, to, why and how many, the largest first; whoever stayed is left out."""
    moved = [(flow, n) for flow, n in found.flows().items() if flow[2] != "kept"]
    moved.sort(key=lambda one: (-one[1], str(one[0])))
    return [
        (source or "-", target or "-", CAUSES[cause], f"{n:,}")
        for (source, target, cause), n in moved
    ]


def of_flows(found: Migration, title: str) -> Table:
    """A line for each way that visitors went."""
    table = _table(title, ("from", "to", "why", "visitors"))
    for row in flow_cells(found):
        table.add_row(*row)
    return table


def of_responses(found: Sequence[Response], top: int) -> Table:
    """The best actions of each segment."""
    table = _table(
        "reward a decision, as if the action had been shown to everybody in the segment",
        ("segment", "action", "shown", "reward", "standard error", "tells as much as"),
    )
    for _, theirs in groupby(found, key=lambda one: one.segment):
        for one in islice(theirs, top):
            table.add_row(
                escape(one.segment or "-"),
                escape(one.action),
                f"{one.n_decisions:,}",
                f"{one.reward:.4f}" if one.is_told else "not known",
                f"{one.error:.4f}" if one.is_told else "",
                f"{one.n_effective:,.0f}",
            )
        table.add_section()
    return table


def moved_in_words(found: Migration) -> str:
    """The four shares that sum a comparison up."""
    return (
        f"{found.kept:.1%} of the visitors known at both times kept their segment. "
        f"Model churn {found.model_churn:.1%}: the two models disagree on the same behaviour. "
        f"Migrated {found.migrated:.1%}: their behaviour changed. "
        f"Shift of the population (PSI) {found.population_shift:.3f}."
    )


def _table(title: str, names: Sequence[str]) -> Table:
    table = Table(title=title or None)
    for name in names:
        right = name in _NUMBERS or name.endswith(("each", "as much as"))
        table.add_column(name, justify="right" if right else "left")
    return table

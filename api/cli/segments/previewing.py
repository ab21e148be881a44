"""Who would belong to a segment made by hand, before anybody relies on it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from api.cli.segments.source import Source
from api.loop.facts import Belongs
from api.storage.base import StoreError
from segments.pipeline import Pipeline

_REVENUE = Pipeline.feature_names.index("revenue_cents")


@dataclass(frozen=True, slots=True)
class Preview:
    """The members of a segment, now.

    Args:
        name: Its id, or the condition that was asked.
        n_members: Visitors of whom the condition is true.
        n_unknown: Of whom it is neither true nor false.
        revenue_cents: Of the members so far, in all.
        shared: With how many members of each other segment, learned ones and those made by hand.
    """

    name: str
    n_members: int
    n_unknown: int
    revenue_cents: float
    shared: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Previews:
    """Segments made by hand over the same visitors.

    Args:
        n_visitors: How many there are.
        sizes: Members of every segment, learned ones and those made by hand.
        found: One for each that was asked.
    """

    n_visitors: int
    sizes: Mapping[str, int]
    found: tuple[Preview, ...]


def previewed(source: Source, asked: Mapping[str, Belongs]) -> Previews:
    """Counts the members of segments made by hand among the visitors of now.

    Args:
        source: A store.
        asked: Who belongs, by name.

    Raises:
        StoreError: It is no store, or holds no event.
    """
    if source.log is None:
        raise StoreError(f"{source.path}: conditions are asked of a store; --source names its file")
    now, pipeline, fits = source.log.latest(), source.log.pipeline(), source.fits()
    if fits:
        pipeline.segmentation = fits[-1].segmentation
    sizes: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    shared: dict[str, Counter[str]] = {name: Counter() for name in asked}
    revenue = dict.fromkeys(asked, 0.0)
    for visitor in pipeline.visitors():
        look = pipeline.look(visitor, now)
        segment = look.context().segment
        answers = {name: belongs(look, segment) for name, belongs in asked.items()}
        belongs_to = [name for name, answer in answers.items() if answer]
        everywhere = [*belongs_to, *([] if segment is None else [segment])]
        sizes.update(everywhere)
        unknown.update(name for name, answer in answers.items() if answer is None)
        for name in belongs_to:
            shared[name].update(other for other in everywhere if other != name)
            revenue[name] += look.natural(_REVENUE)
    return Previews(
        len(pipeline),
        sizes,
        tuple(
            Preview(name, sizes[name], unknown[name], revenue[name], shared[name]) for name in asked
        ),
    )


def of_previews(found: Previews) -> Table:
    """A line a segment."""
    table = Table(title=f"made by hand, of {found.n_visitors:,} visitors")
    table.add_column("segment")
    for head in ("visitors", "share", "unknown", "revenue each"):
        table.add_column(head, justify="right")
    table.add_column("overlaps with (share of the other's visitors)")
    for one in found.found:
        each = one.revenue_cents / one.n_members / 100.0 if one.n_members else 0.0
        table.add_row(
            escape(one.name),
            f"{one.n_members:,}",
            f"{one.n_members / max(found.n_visitors, 1):.1%}",
            f"{one.n_unknown:,}",
            f"{each:,.2f}" if one.n_members else "",
            escape(_overlaps(one, found.sizes)),
        )
    return table


def _overlaps(one: Preview, sizes: Mapping[str, int]) -> str:
    ordered = sorted(one.shared.items(), key=lambda other: (-other[1], other[0]))
    return ", ".join(f"{name} {n:,} ({n / sizes[name]:.0%})" for name, n in ordered)

"""Crowds that came up since a fit, and what becomes of one that a person accepts."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from api.cli.segments.files import natural
from api.cli.segments.source import NamedFit, Source
from api.storage.base import StoreError
from api.storage.visitor_log import Crowd
from segments.cluster.emerging import Newcomers, Proposal, accepted
from segments.cluster.family import Cohort
from segments.cluster.segmentation import Segmentation

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Emerging:
    """What came up.

    Args:
        fit: The segmentation in use.
        now: The visitors of now.
        n_watched: Those with an event since the fit.
        n_newcomers: Those of them who are unlike their segment.
        proposals: The crowds among these.
    """

    fit: NamedFit
    now: Crowd
    n_watched: int
    n_newcomers: int
    proposals: tuple[Proposal, ...]

    def with_accepted(self, number: int) -> Segmentation:
        """The segmentation with one of the crowds as one more segment.

        Args:
            number: Of the crowd, from 1.

        Raises:
            StoreError: There is no such crowd.
            SegmentationError: It cannot be added.
        """
        if not 1 <= number <= len(self.proposals):
            raise StoreError(f"--accept is {number}: there are {len(self.proposals)} proposals")
        cohort = Cohort(self.now.vectors, self.now.feature_names)
        return accepted(self.fit.segmentation, self.proposals[number - 1], cohort)


def emerged(source: Source, fit: NamedFit, min_visitors: int, min_share: float) -> Emerging:
    """The crowds that came up in a store since a fit.

    Raises:
        StoreError: It is no store, or the fit does not say of what time it is.
        SegmentationError: The fit is of other features.
    """
    if source.log is None or fit.fitted_at is None:
        raise StoreError(
            "what came up since a fit is found in a store, by a fit that says of what time it is"
        )
    now = source.now()
    assert now.at is not None  # noqa: S101  # as a store's crowd has it
    (then,) = source.log.crowds([fit.fitted_at])
    newcomers = Newcomers(fit.segmentation, Cohort(then.vectors, then.feature_names))
    days = (now.at - fit.fitted_at).total_seconds() / DAY_S
    unseen = now.feature_names.index("unseen_days")
    n_watched = 0
    for visitor, vector in zip(now.visitors, now.vectors, strict=True):
        if natural("unseen_days", float(vector[unseen])) < days:
            newcomers.observe(visitor, vector)
            n_watched += 1
    found = newcomers.proposals(min_visitors, min_share)
    return Emerging(fit, now, n_watched, len(newcomers), found)


def of_proposals(found: Sequence[Proposal]) -> Table:
    """A line a crowd."""
    table = Table(title="might become segments")
    for head in ("number", "visitors", "share", "share at the fit"):
        table.add_column(head, justify="right")
    table.add_column("who they are")
    for number, one in enumerate(found, 1):
        table.add_row(
            str(number),
            f"{len(one.members):,}",
            f"{one.share:.1%}",
            f"{one.share_before:.1%}",
            escape(one.description),
        )
    return table

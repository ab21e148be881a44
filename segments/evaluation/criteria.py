"""What a segmentation has to hold, as numbers; and what one lacks, in words."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from segments.cluster.tiers import Rfm, ValueTiers
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from segments.cluster.family import Family
    from segments.evaluation.separation import Separation
    from segments.evaluation.stability import Stability

BASELINES: Final[Mapping[str, Family]] = {
    "RFM": Rfm(),
    "past spend": ValueTiers(expected=False),
}
"""What a segmentation has to know more than, of what visitors go on to spend."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a segmentation has to hold to be chosen.

    Args:
        ari_mean: least mean adjusted Rand index over the draws.
        ari_min: least of the worst draw.
        smallest: least share of the visitors in the smallest segment.
        noise: most visitors in no segment, as a share.
        churn: most visitors whom a refit may put elsewhere for the same behaviour, as a share.
        over_baseline: least eta squared of the future beyond that of the better of RFM and tiers
            of past spend; None asks for no value.

    Raises:
        SegmentationError: if a share is not from 0 to 1, or another number not finite.
    """

    ari_mean: float = 0.95
    ari_min: float = 0.8
    smallest: float = 0.005
    noise: float = 0.5
    churn: float = 0.03
    over_baseline: float | None = None

    def __post_init__(self) -> None:
        for name in ("smallest", "noise", "churn"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SegmentationError(
                    f"{name} must be a share, 0 to 1, got {getattr(self, name)}"
                )
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and not -2.0 < value < 2.0:
                raise SegmentationError(f"{one.name} must be within -2 and 2, got {value}")


@dataclass(frozen=True, slots=True)
class Findings:
    """What criteria are held against.

    Args:
        stability: over draws.
        apart: sizes and noise.
        churn: of a refit, as a share; None where it is not known.
        eta_squared: of the future; None likewise.
        baseline: the better eta squared of `BASELINES`; None likewise.
    """

    stability: Stability
    apart: Separation
    churn: float | None
    eta_squared: float | None
    baseline: float | None


def baseline_value(value_of: Callable[[Family], float]) -> float | None:
    """The better value of `BASELINES`; None where the visitors lack the features of both.

    Args:
        value_of: measures a family as the segmentation beside it is measured.
    """
    known = []
    for family in BASELINES.values():
        try:
            known.append(value_of(family))
        except SegmentationError:
            continue
    return max(known, default=None)


def shortfalls(found: Findings, bars: Criteria) -> tuple[str, ...]:
    """The criteria that are missed, in words; what is not known is not missed."""
    stability, apart, churn = found.stability, found.apart, found.churn
    checks = (
        (stability.ari_mean >= bars.ari_mean, f"mean ARI {stability.ari_mean:.3f}"),
        (stability.ari_min >= bars.ari_min, f"minimum ARI {stability.ari_min:.3f}"),
        (apart.smallest >= bars.smallest, f"smallest segment {apart.smallest:.2%}"),
        (apart.noise <= bars.noise, f"noise {apart.noise:.0%}"),
        (apart.entropy > 0.0, "a single segment"),
        (churn is None or churn <= bars.churn, f"model churn {churn or 0.0:.1%}"),
        (_worth_it(found, bars), f"knows less than the baseline's {found.baseline or 0.0:.3f}"),
    )
    return tuple(said for holds, said in checks if not holds)


def _worth_it(found: Findings, bars: Criteria) -> bool:
    if bars.over_baseline is None or found.eta_squared is None or found.baseline is None:
        return True
    return found.eta_squared >= found.baseline + bars.over_baseline

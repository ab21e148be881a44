"""A search for a segmentation: features, family and number of segments, with a gate at its end.

The periods, each visitor described at its start and judged by what they spent in it:

    earlier | first | later
            |       `- one comparison: the winner against the segmentation in use (`gate`)
            `- the candidates are measured, and one is chosen (`choice`)
    `- the same candidates, to see whom a refit renames

Nothing is put to use here: who calls gets a model and a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from segments.cluster.density import Hdbscan
from segments.cluster.kmeans import KMeans
from segments.cluster.neural import NeuralEncoder
from segments.cluster.tiers import ValueTiers
from segments.cluster.tree_rules import TreeRules
from segments.evaluation.choice import Choice, Scored, choose
from segments.evaluation.criteria import Criteria
from segments.evaluation.gate import Verdict, weigh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np

    from segments.cluster.assign.base import Assigner
    from segments.cluster.family import Cohort, Family
    from segments.cluster.segmentation import Segmentation

FEATURE_SETS: Final[Mapping[str, tuple[str, ...] | None]] = {
    "all": None,
    "money": (
        "recency_days",
        "orders",
        "revenue_cents",
        "average_order_cents",
        "orders_per_30_days",
    ),
    "habits": (
        "purchase_interval_days",
        "basket_items",
        "discount_share",
        "top_category_share",
        "category_evenness",
    ),
}
"""What distances are measured in; a set of which the visitors lack a feature is left out."""


@dataclass(frozen=True, slots=True)
class Periods:
    """Visitors with what they went on to spend.

    Args:
        first: whom candidates are measured on.
        later: whom the winner is held against the segmentation in use on; its outcome begins when
            that of `first` has ended, or its visitors are others.
        earlier: of some time before `first`; None where nothing is known of it.
    """

    first: Cohort
    later: Cohort
    earlier: Cohort | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a search.

    Args:
        choice: the candidates, measured; beside them the segmentation in use, if its family is
            known.
        family: the winner's.
        verdict: whether the winner may take its place.
    """

    choice: Choice
    family: Family
    verdict: Verdict


def candidates(
    feature_names: Iterable[str],
    n_segments: Iterable[int] = range(3, 9),
    max_churn: float | None = 0.03,
    *,
    has_target: bool = True,
    neural: bool = False,
) -> dict[str, Family]:
    """What is worth trying, by name: k-means over sets of features, density, tiers, rules.

    Args:
        feature_names: that the visitors have.
        n_segments: numbers of segments for k-means.
        max_churn: of refits; see `segments.cluster.churn_budget`.
        has_target: whether there is an outcome to learn from.
        neural: whether to try neural encoders, too, which need torch.

    Example:
        >>> list(candidates(["orders"], [3, 4], has_target=False))
        ['k-means, k=3, all', 'k-means, k=4, all', 'HDBSCAN, all', 'expected-spend tiers']
    """
    known, numbers = set(feature_names), list(n_segments)
    found: dict[str, Family] = {}
    for name, features in FEATURE_SETS.items():
        if features is not None and not known.issuperset(features):
            continue
        for k in numbers:
            found[f"k-means, k={k}, {name}"] = KMeans(k, max_churn, features)
        found[f"HDBSCAN, {name}"] = Hdbscan(features=features)
    found["expected-spend tiers"] = ValueTiers(max_churn=max_churn)
    if has_target:
        found["tree rules"] = TreeRules()
    for k in numbers[::2] if neural else ():
        found[f"neural encoder, k={k}"] = NeuralEncoder(k, max_churn=max_churn)
        if has_target:
            foresight = NeuralEncoder(k, foresight=True, max_churn=max_churn)
            found[f"neural encoder with foresight, k={k}"] = foresight
    return found


def learns(family: Family) -> bool:
    """Whether a family learns from the cohort's target."""
    return isinstance(family, TreeRules) or (isinstance(family, NeuralEncoder) and family.foresight)


def search(
    tried: Mapping[str, Family],
    periods: Periods,
    rng: np.random.Generator,
    criteria: Criteria | None = None,
    *,
    incumbent: tuple[Segmentation, Family | None] | None = None,
    n_draws: int = 10,
    told: Callable[[Scored], None] | None = None,
) -> Found:
    """Searches candidates on one period and holds the winner against the one in use on a later one.

    Args:
        tried: families by name.
        periods: visitors, and what they spent.
        rng: draws visitors, and seeds the fits.
        criteria: what a candidate has to hold.
        incumbent: the segmentation in use, and how it would be fitted anew where that is known.
        n_draws: draws for the stability of each candidate.
        told: is called with each candidate as it is measured, and with the one in use.

    Raises:
        SegmentationError: if there is no candidate, or the later period has no outcome.
    """
    bars = criteria or Criteria()
    known = None if incumbent is None or incumbent[1] is None else ("in use", incumbent[1])
    choice = choose(
        tried, periods.first, rng, bars,
        earlier=periods.earlier, n_draws=n_draws, beside=known, told=told,
    )  # fmt: skip
    family = tried[choice.chosen]
    model = family.fit(periods.first, None, rng)
    in_use = None if incumbent is None else incumbent[0].assigner
    return Found(choice, family, _verdict(choice, model, in_use, periods, rng))


def _verdict(
    choice: Choice,
    model: Assigner,
    in_use: Assigner | None,
    periods: Periods,
    rng: np.random.Generator,
) -> Verdict:
    fails = choice.beside is not None and bool(choice.beside.shortfalls)
    verdict = weigh(model, in_use, periods.later, rng, incumbent_fails=fails)
    if not choice.winner.shortfalls:
        return verdict
    reason = f"misses the criteria: {', '.join(choice.winner.shortfalls)}"
    return Verdict(False, reason, verdict.challenger, verdict.incumbent, verdict.low)

"""Bins of one score: RFM sums, tiers of past spend, tiers of expected spend."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np

from segments.cluster.assign.base import REMEDY, Assigner, floats, integers, new_labels
from segments.cluster.worth import WORTH_FEATURES, expected_cents
from segments.errors import SegmentationError
from segments.features.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from segments.cluster.assign.base import Floats, Labels

RFM_FEATURES: Final = ("recency_days", "orders", "revenue_cents")
_REVENUE: Final = next(r for r in SCHEMA.readings if r.name == "revenue_cents")


class Tiers(Assigner):
    """The bin of a score: the number of cuts that are below it.

    Args:
        columns: positions of `needs` in the vectors.
        cuts: increasing, shape (n_labels - 1,).
        tier_labels: label of each tier, lowest score first, shape (n_labels,).
    """

    needs: ClassVar[tuple[str, ...]]

    def __init__(self, columns: Labels, cuts: Floats, tier_labels: Labels | None = None) -> None:
        self.columns = columns
        self.cuts = cuts
        self.tier_labels = np.arange(len(cuts) + 1) if tier_labels is None else tier_labels
        self.n_labels = len(cuts) + 1

    @abstractmethod
    def scores(self, values: npt.NDArray[np.floating]) -> Floats:
        """The score of rows of the columns that it needs, shape (n, n_needs); higher is better."""

    def label(self, vector: npt.NDArray[np.floating]) -> int:
        """See `Assigner.label`."""
        return int(self.labels(vector[None])[0])

    def labels(self, vectors: npt.NDArray[np.floating]) -> Labels:
        """See `Assigner.labels`."""
        scores = self.scores(vectors.take(self.columns, axis=1))
        return self.tier_labels[np.searchsorted(self.cuts, scores, side="left")]

    def reordered(self, order: Sequence[int]) -> Self:
        """See `Assigner.reordered`."""
        return self._with(new_labels(order)[self.tier_labels])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Assigner.arrays`."""
        return {"columns": self.columns, "cuts": self.cuts, "tier_labels": self.tier_labels}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """See `Assigner.from_arrays`."""
        return cls(*tier_arrays(arrays, n_features, len(cls.needs)))

    def _with(self, tier_labels: Labels) -> Self:
        return type(self)(self.columns, self.cuts, tier_labels)


def tier_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], n_features: int, n_needs: int
) -> tuple[Labels, Floats, Labels]:
    """Columns, cuts and labels of saved tiers.

    Raises:
        SegmentationError: if they hold what no tiers can.
    """
    columns = integers(arrays["columns"], (n_needs,), "columns", n_features)
    cuts = floats(arrays["cuts"], (None,), "cuts")
    labels = integers(arrays["tier_labels"], (len(cuts) + 1,), "tier_labels", len(cuts) + 1)
    if len(set(labels.tolist())) < len(labels) or (np.diff(cuts) <= 0.0).any():
        raise SegmentationError(f"array cuts must increase, tier_labels differ; {REMEDY}")
    return columns, cuts, labels


class SpendTiers(Tiers):
    """Tiers of the money spent so far, in cents.

    Example:
        >>> tiers = SpendTiers(np.array([0]), np.array([5_000.0]))
        >>> tiers.words(["revenue_cents"])
        ['spent up to 50 in all', 'spent over 50 in all']
    """

    kind: ClassVar[str] = "spend-tiers"
    needs: ClassVar[tuple[str, ...]] = ("revenue_cents",)

    def scores(self, values: npt.NDArray[np.floating]) -> Floats:
        """Net revenue in cents."""
        scale = np.log1p(_REVENUE.log_at or 1.0)
        cents: Floats = np.expm1(values[:, 0].astype(np.float64) * scale)
        return cents

    def words(self, feature_names: Sequence[str]) -> list[str] | None:
        """Each tier as a range of money."""
        return _ranges(self.cuts, self.tier_labels, "spent", " in all")


class ExpectedSpendTiers(Tiers):
    """Tiers of the spend expected in the next 30 days: `segments.cluster.worth`, in cents."""

    kind: ClassVar[str] = "expected-spend-tiers"
    needs: ClassVar[tuple[str, ...]] = WORTH_FEATURES

    def scores(self, values: npt.NDArray[np.floating]) -> Floats:
        """Expected cents in the next 30 days."""
        return expected_cents(values)

    def words(self, feature_names: Sequence[str]) -> list[str] | None:
        """Each tier as a range of money."""
        return _ranges(self.cuts, self.tier_labels, "expected to spend", " a month")


class RfmBins(Tiers):
    """Bins of the sum of three scores, 1 to 5 each: recency, frequency and monetary value.

    Args:
        columns: positions of recency_days, orders and revenue_cents.
        cuts: of the sum.
        tier_labels: see `Tiers`.
        quintiles: cuts of each of the three features in its own scale, shape (3, 4).

    References:
        A. M. Hughes, "Strategic Database Marketing", 1994.
    """

    kind: ClassVar[str] = "rfm"
    needs: ClassVar[tuple[str, ...]] = RFM_FEATURES

    def __init__(
        self,
        columns: Labels,
        cuts: Floats,
        tier_labels: Labels | None = None,
        *,
        quintiles: Floats,
    ) -> None:
        super().__init__(columns, cuts, tier_labels)
        self.quintiles = quintiles

    def scores(self, values: npt.NDArray[np.floating]) -> Floats:
        """R + F + M, 3 to 15."""
        return rfm_sums(values, self.quintiles)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Assigner.arrays`."""
        return {**super().arrays(), "quintiles": self.quintiles}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_features: int) -> Self:
        """See `Assigner.from_arrays`."""
        plain = tier_arrays(arrays, n_features, len(cls.needs))
        return cls(*plain, quintiles=floats(arrays["quintiles"], (3, 4), "quintiles"))

    def words(self, feature_names: Sequence[str]) -> list[str] | None:
        """Each bin as a range of sums."""
        words = [""] * self.n_labels
        edges = [2, *(int(cut) for cut in self.cuts), 15]
        for tier, label in enumerate(self.tier_labels.tolist()):
            low, high = edges[tier] + 1, edges[tier + 1]
            words[label] = f"RFM score {low} to {high} of 15" if low < high else f"RFM score {low}"
        return words

    def _with(self, tier_labels: Labels) -> Self:
        return type(self)(self.columns, self.cuts, tier_labels, quintiles=self.quintiles)


def rfm_sums(values: npt.NDArray[np.floating], quintiles: Floats) -> Floats:
    """R + F + M of rows of recency, orders and revenue; lower recency scores higher."""
    recency, frequency, money = (
        np.searchsorted(cuts, column.astype(np.float64), side="left")
        for cuts, column in zip(quintiles, values.T, strict=True)
    )
    return np.asarray(3.0 + (4 - recency) + frequency + money, np.float64)


def _ranges(cuts: Floats, tier_labels: Labels, verb: str, when: str) -> list[str]:
    amounts = [f"{cut / 100.0:,.0f}" for cut in cuts.tolist()]
    words = [""] * len(tier_labels)
    for tier, label in enumerate(tier_labels.tolist()):
        if not amounts:
            words[label] = "all visitors"
        elif tier == 0:
            words[label] = f"{verb} up to {amounts[0]}{when}"
        elif tier == len(amounts):
            words[label] = f"{verb} over {amounts[-1]}{when}"
        else:
            words[label] = f"{verb} {amounts[tier - 1]} to {amounts[tier]}{when}"
    return words

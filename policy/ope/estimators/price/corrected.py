"""A kernel estimator whose interval accounts for the kernel's bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policy.ope.estimators.base import Functional
from policy.ope.estimators.price.tuned import FEWEST_EFFECTIVE, Chosen, TunedKernel, widest

if TYPE_CHECKING:
    from policy.ope.log import Array
    from policy.ope.tally import Tally


class CorrectedKernel(TunedKernel):
    """Of the bandwidth that SLOPE chooses, less the bias that half of it shows.

        V = (4 V_h/2 - V_h) / 3

    A kernel's bias grows with h², so two bandwidths tell it, and it falls out; the variance is that
    of both together. SLOPE takes the widest bandwidth whose bias cannot be told from chance, which
    is too wide for an interval: that is of the same, one bandwidth narrower, where the log has rows
    enough. The narrowest member of a grid, the price itself, has no bias to correct.

    Bias and variance: a bias of order h⁴ (h³ next to an end of the range), where the reward is
    smooth; the variance is about twice that of `TunedKernel`.

    Args:
        bandwidths: See `TunedKernel`: each twice the one before.
        step: See `TunedKernel`.

    References:
        Calonico, Cattaneo, Farrell. On the Effect of Bias Estimation on Coverage Accuracy in
        Nonparametric Inference. JASA 2018.

    Example:
        >>> from policy.ope.estimators.price.tuned import bandwidths_of
        >>> CorrectedKernel(bandwidths_of(500.0, 1500.0), step=10.0).n_columns
        10
    """

    name: str = "kernel_corrected"

    def settled(self, tally: Tally) -> Corrected:
        """The bandwidth that SLOPE takes, of those whose half has 50 effective rows or more."""
        members = [Chosen(one.bandwidth, i, self.n_columns) for i, one in enumerate(self.members)]
        known = [one.effective_rows(tally) >= FEWEST_EFFECTIVE for one in members]
        is_exact = self.step is not None and known[0]
        first = 1 if self.step is None else 2  # the first whose half is a kernel as well
        usable = [0] if is_exact else []
        usable += [place for place in range(first, len(members)) if known[place - 1]]
        place = usable[widest([members[i] for i in usable], tally)] if usable else 0
        if place < first:
            return Corrected(members[0])
        narrower = None
        if place - 1 >= first and place - 1 in usable:
            narrower = Corrected(members[place - 1], members[place - 2])
        elif place == first and is_exact:
            narrower = Corrected(members[0])
        return Corrected(members[place], members[place - 1], narrower)


class Corrected(Functional):
    """One bandwidth, corrected by another.

    Args:
        wide: The bandwidth.
        narrow: Half of it; None where it has no bias.
        narrower: What the interval is of; None for itself.
    """

    name: str = "kernel_corrected"

    def __init__(
        self, wide: Chosen, narrow: Chosen | None = None, narrower: Corrected | None = None
    ) -> None:
        self.wide, self.narrow, self.narrower = wide, narrow, narrower
        self.n_columns = wide.n_columns
        # (wide / narrow)², by which their biases differ.
        ratio = np.inf if narrow is None else (wide.bandwidth / narrow.bandwidth) ** 2
        self.share = 1.0 / (ratio - 1.0)

    @property
    def weight_column(self) -> int:
        """Where the weights are that its interval rests on."""
        if self.narrower is not None:
            return self.narrower.weight_column
        return (self.narrow or self.wide).own.start + 1

    def trusted(self) -> Corrected:
        """One bandwidth narrower, where the log has rows enough."""
        return self if self.narrower is None else self.narrower

    def value(self, means: Array) -> float:
        """The narrow one's, moved on by its distance from the wide one."""
        if self.narrow is None:
            return self.wide.value(means)
        near = self.narrow.value(means)
        return near + self.share * (near - self.wide.value(means))

    def gradient(self, means: Array) -> Array:
        """Of both."""
        if self.narrow is None:
            return self.wide.gradient(means)
        near = self.narrow.gradient(means)
        moved: Array = near + self.share * (near - self.wide.gradient(means))
        return moved

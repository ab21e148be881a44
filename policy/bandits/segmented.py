"""Segmented: a policy of its own for every segment, held to the one that all segments share.

LinUCB over a model with one more level than the others'.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.evidence import LARGEST_PRECISION, SMALLEST_PRECISION
from policy.bandits.linear_model import OwnPriors
from policy.bandits.linucb import LinUCB
from policy.bandits.segment_pairs import Segments
from policy.bandits.segmented_model import SegmentedModel
from policy.bounds import parameter, whole_parameter
from policy.errors import ParameterError

if TYPE_CHECKING:
    from typing import Unpack

    from policy.bandits.linear_policy import LinearOptions
    from policy.explanation import Explanation

Array = npt.NDArray[np.float64]


class Segmented(LinUCB):
    """Upper confidence bounds with own weights for each action in each segment.

        score(a) = mean(a) + alpha sd(a) - cost(a),  mean(a) = z·β + x·θ_{a,s},
        θ_{a,s} ~ N(θ_a, σ² / prior_segment)

    All mass on the highest score, then the floor. Where a segment has few rows, its actions do as
    they do elsewhere; with more it goes its own way. How far is estimated from how much segments
    differ, unless ``prior_segment`` is given.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        alpha: Width of the bound in standard deviations, at least 0.
        segment_start: Index of the first of the context's entries that code the segment, as 1 for
            it and 0 for the others. All 0 is no segment: such visitors have what is shared.
        n_segments: Number of those entries; 0 for none, which is LinUCB.
        prior_segment: Precision of a segment's own weights; None estimates it.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range, or the segment's entries are not all in
            the context.

    Example:
        >>> from policy.base import Candidates
        >>> policy = Segmented(3, 0, segment_start=1, n_segments=2, floor=0.0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.array([1.0, 0.0, 1.0]), pair, np.random.default_rng(0))
        array([0.5, 0.5])

    References:
        Hong, Kveton, Zaheer, Ghavamzadeh. Hierarchical Bayesian Bandits. AISTATS 2022.
        Gelman, Hill. Data Analysis Using Regression and Multilevel/Hierarchical Models. Cambridge
        2007, chapter 12.
    """

    kind: ClassVar[str] = "segmented"

    model: SegmentedModel

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        alpha: float = 1.0,
        segment_start: int = 0,
        n_segments: int = 0,
        prior_segment: float | None = None,
        **options: Unpack[LinearOptions],
    ) -> None:
        self.segments = Segments(
            whole_parameter("segment_start", segment_start, 0, 10_000),
            whole_parameter("n_segments", n_segments, 0, 1_000),
        )
        self.prior_segment = prior_segment
        if prior_segment is not None:
            parameter("prior_segment", prior_segment, SMALLEST_PRECISION, LARGEST_PRECISION)
        super().__init__(n_context, n_shared, alpha=alpha, **options)
        if segment_start + n_segments > n_context:
            raise ParameterError(
                f"segment_start is {segment_start} and n_segments {n_segments}: they must be "
                f"entries of the context, which has {n_context}"
            )
        self.given |= {
            "segment_start": segment_start,
            "n_segments": n_segments,
            "prior_segment": prior_segment,
        }

    def _new_model(self) -> SegmentedModel:
        given = self.given
        return SegmentedModel(
            self.n_context,
            self.n_shared,
            segments=self.segments,
            prior_segment=self.prior_segment,
            prior_shared=given["prior_shared"],
            own=OwnPriors(given["prior_intercept"], given["prior_action"]),
            half_life=given["half_life"],
        )

    def _explain(self, x: Array, z: Array, ids: tuple[str, ...]) -> Explanation:
        found = super()._explain(x, z, ids)
        return replace(found, context=found.context + self.model.deviations(x, ids) * x)

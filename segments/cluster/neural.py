"""Segments in the space of a small neural encoder: k-means on what it makes of visitors.

The encoder squeezes behaviour into a few numbers from which the rest can be told, so that features
that say the same count once. With `foresight` it has to foresee an outcome from those numbers as
well, and distances follow what it foresees. `segments.cluster.autoencoder` trains it with torch;
the model is plain arrays that numpy serves.

A refit trains the encoder on, held near where it put visitors before, under the scaling that it has
learned; a churn budget stops it on the way as it does for k-means.

References:
    J. Xie, R. Girshick, A. Farhadi, "Unsupervised Deep Embedding for Clustering Analysis",
    ICML 2016 (clusters in an autoencoder's space).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from segments.cluster.assign.encoded import EncodedCentroids
from segments.cluster.assign.encoder import Encoder
from segments.cluster.autoencoder import Size, Weights, train
from segments.cluster.churn_budget import check_budget, within_budget
from segments.cluster.kmeans import behaviour_scaling
from segments.cluster.lloyd import lloyd, n_distinct, warm_start
from segments.cluster.segmentation import N_SLOTS
from segments.errors import SegmentationError

if TYPE_CHECKING:
    from segments.cluster.assign.base import Assigner, Floats
    from segments.cluster.family import Cohort

N_HIDDEN: Final = 32
FORESIGHT: Final = 4.0
"""How much a standard deviation of what is foreseen counts against a unit of the code."""
_LARGEST_OUTCOME: Final = 0.99
"""Outcomes above this quantile count as that: one customer must not bend the space."""


@dataclass(frozen=True, slots=True)
class NeuralEncoder:
    """The family of clusters in an autoencoder's space.

    Args:
        n_segments: 1 to 8; fewer are made if visitors differ in fewer ways.
        foresight: whether the cohort's target shapes the space, too.
        n_dimensions: of the code, 1 to 32.
        n_steps: of training, at least 1; a refit takes a quarter of them.
        max_churn: of a refit, see `segments.cluster.churn_budget`; None for no bound.
        features: names of those that the encoder sees; None for all of behaviour.

    Raises:
        SegmentationError: if a number is out of range.
    """

    n_segments: int
    foresight: bool = False
    n_dimensions: int = 4
    n_steps: int = 400
    max_churn: float | None = None
    features: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.n_segments <= N_SLOTS:
            raise SegmentationError(f"n_segments must be 1 to {N_SLOTS}, got {self.n_segments}")
        if not 1 <= self.n_dimensions <= N_HIDDEN:
            raise SegmentationError(
                f"n_dimensions must be 1 to {N_HIDDEN}, got {self.n_dimensions}"
            )
        if self.n_steps < 1:
            raise SegmentationError(f"n_steps must be at least 1, got {self.n_steps}")
        check_budget(self.max_churn)

    def fit(
        self, cohort: Cohort, previous: Assigner | None, rng: np.random.Generator
    ) -> EncodedCentroids:
        """See `Family.fit`; without torch, the error names the command that installs it."""
        before = self._warm(cohort, previous)
        encoder = self._encoder(cohort, before, rng)
        points = encoder.encode(cohort.vectors)
        n_clusters = n_distinct(points, self.n_segments)
        if before is None:
            return EncodedCentroids(encoder, lloyd(points, n_clusters, None, rng))
        start = warm_start(points, before.centroids, n_clusters)
        optimum = EncodedCentroids(encoder, lloyd(points, n_clusters, start, rng))
        between = partial(before.towards, optimum)
        return within_budget(cohort.vectors, before, optimum, between, self.max_churn)

    def _warm(self, cohort: Cohort, previous: Assigner | None) -> EncodedCentroids | None:
        """The model in use, if training can go on from it."""
        if not isinstance(previous, EncodedCentroids):
            return None
        encoder = previous.encoder
        n_axes = self.n_dimensions + self.foresight
        fits = encoder.axes.shape == (n_axes, self.n_dimensions) and encoder.scaling.is_of(
            cohort.behaviour(self.features)
        )
        return previous if fits else None

    def _encoder(
        self, cohort: Cohort, before: EncodedCentroids | None, rng: np.random.Generator
    ) -> Encoder:
        old = None if before is None else before.encoder
        scaling = behaviour_scaling(cohort, self.features) if old is None else old.scaling
        size = Size(N_HIDDEN, self.n_dimensions, self.n_steps if old is None else self._refit_steps)
        found = train(
            scaling.apply(cohort.vectors),
            _standard(cohort.needed_target()) if self.foresight else None,
            None if old is None else self._weights(old),
            size,
            rng,
        )
        axes = np.eye(self.n_dimensions)
        if found.head is not None:
            axes = np.vstack([axes, FORESIGHT * found.head])
        return Encoder(scaling, found.hidden, found.hidden_bias, found.code, found.code_bias, axes)

    @property
    def _refit_steps(self) -> int:
        return max(1, self.n_steps // 4)

    def _weights(self, encoder: Encoder) -> Weights:
        head = encoder.axes[-1] / FORESIGHT if self.foresight else None
        return Weights(encoder.hidden, encoder.hidden_bias, encoder.code, encoder.code_bias, head)


def _standard(outcome: Floats) -> Floats:
    """Mean 0, deviation 1; the largest outcomes are cut off."""
    cut = np.minimum(outcome, np.quantile(outcome, _LARGEST_OUTCOME))
    deviation = float(cut.std())
    standard: Floats = (cut - cut.mean()) / (deviation if deviation > 0.0 else 1.0)
    return standard

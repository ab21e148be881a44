"""The default policy: nothing to tune.

LinUCB over a model that bends; it adds what the other explorers leave to the user.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.arm_record import ArmRecord
from policy.bandits.change import ChangeDetector
from policy.bandits.linear_model import OwnPriors
from policy.bandits.linucb import LinUCB
from policy.bandits.random_features import RandomFeatures
from policy.bandits.sketched_model import SketchedLinearModel
from policy.bandits.warm_up import Row, WarmUp
from policy.bounds import whole_parameter
from policy.errors import ParameterError, StateError, UnsupportedError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from policy.bandits.linear_policy import LinearOptions
    from policy.base import Batch
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]

WARM_UP = 32
"""Rows from which the map of random features is made; until then the model is linear."""

KEPT_AFTER_CHANGE = 20.0
"""Rows' worth of what was known before a change that still counts after it."""


class Default(LinUCB):
    """Upper confidence bounds on linear and random Fourier features, everything else estimated.

        score(a) = mean(a) + alpha sd(a) - cost(a)

    All mass on the highest score, then the floor. The mean is hybrid linear in the context and,
    per action, in ``n_random_features`` features of a Gaussian kernel on the standardised
    context: it learns as fast as a linear model where the world is linear and bends where it is
    not, since the marginal likelihood says how much either part may explain. The same estimates
    scale the confidence bounds to the rewards, whatever their unit. When rewards stay below what
    was expected for longer than chance would have it, what was learned before counts for little.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        alpha: Width of the bound in standard deviations, at least 0.
        n_random_features: Even, 0 to 4,096; an action takes 16 (n_context + n_random_features)²
            bytes. 0 is a linear model.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = Default(1, 0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])

    References:
        Li, Chu, Langford, Schapire. A Contextual-Bandit Approach to Personalized News Article
        Recommendation. WWW 2010.
        Valko, Korda, Munos, Flaounas, Cristianini. Finite-Time Analysis of Kernelised Contextual
        Bandits. UAI 2013.
    """

    kind: ClassVar[str] = "default"

    model: SketchedLinearModel

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        alpha: float = 1.0,
        n_random_features: int = 128,
        **options: Unpack[LinearOptions],
    ) -> None:
        self.n_random_features = whole_parameter("n_random_features", n_random_features, 0, 4_096)
        if n_random_features % 2:
            raise ParameterError(
                f"n_random_features is {n_random_features}: must be even, cosines and sines"
            )
        super().__init__(n_context, n_shared, alpha=alpha, **options)
        self.given["n_random_features"] = n_random_features
        self._options: Any = {**options, "n_random_features": n_random_features}
        self._map = self._new_map()
        self._warm_up: WarmUp | None = WarmUp(n_context, n_shared)
        self._change = ChangeDetector()
        self.n_changes = 0

    def _new_map(self) -> RandomFeatures:
        return RandomFeatures(self.n_context, self.n_random_features)

    def _new_model(self) -> SketchedLinearModel:
        given, n_lifted = self.given, self.n_random_features
        return SketchedLinearModel(
            self.n_context + n_lifted,
            self.n_shared,
            prior_shared=given["prior_shared"],
            own=OwnPriors(given["prior_intercept"], given["prior_action"], None, n_lifted),
            half_life=given["half_life"],
        )

    def _learn_row(self, row: Row) -> None:
        self._learn_lifted(row)
        if self._warm_up is not None:
            self._warm_up.append(row)
            if self._warm_up.n_first >= WARM_UP:
                self._make_map(self._warm_up)

    def _learn_lifted(self, row: Row) -> None:
        surprise = self._learn_in_model(row._replace(x=self._lifted(row.x)))
        model = self.model
        if row.first and self._change.is_change(surprise):
            self.n_changes += 1
            model.discount(min(1.0, KEPT_AFTER_CHANGE * model.weight / model.n))

    def _make_map(self, warm_up: WarmUp) -> None:
        """The map from the warm-up's contexts; then learn its rows again, through the map."""
        self._map.fit(warm_up.contexts())
        self._warm_up = None
        self._learn_anew(warm_up)

    def _learn_anew(self, warm_up: WarmUp) -> None:
        self.model, self.record = self._new_model(), ArmRecord()
        for row in warm_up.rows:
            self._learn_lifted(row)

    def _lifted(self, x: Array) -> Array:
        lifted = np.zeros(self.n_context + self.n_random_features)
        lifted[: self.n_context] = x
        if self._warm_up is None:
            lifted[self.n_context :] = self._map.transform(x)
        return lifted

    def _remove(self, batch: Batch) -> None:
        self._refuse_changed("take rows out")
        if self._warm_up is not None:
            self._refuse_forgetting("take rows out")
            self._warm_up = self._warm_up.without(batch)
            self._learn_anew(self._warm_up)
            self.model.refit()
            return
        lifted = np.array([self._lifted(x) for x in batch.contexts])
        super()._remove(replace(batch, contexts=lifted))

    def _merge(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        other = Default(self.n_context, self.n_shared, **self._options)
        other.load_state(manifest, arrays)
        self._refuse_forgetting("be merged")
        self._refuse_changed("be merged")
        other._refuse_changed("be merged")
        if other._warm_up is not None:
            self._learn_rows(other._warm_up)
        elif self._warm_up is not None:
            mine = self._warm_up
            self._load_state(manifest, arrays)
            self._learn_rows(mine)
        elif self._map.is_same(other._map):
            super()._merge(manifest, arrays)
        else:
            raise UnsupportedError(
                "the replicas made their maps from different first contexts: start both from one "
                "saved state, or relearn one policy from both logs"
            )

    def _learn_rows(self, warm_up: WarmUp) -> None:
        for row in warm_up.rows:
            self._learn_row(row)

    def _refuse_changed(self, what: str) -> None:
        if self.n_changes:
            raise UnsupportedError(
                f"default cannot {what} any more: it has noticed a change, and what a row still "
                "counts for depends on when that was; relearn it from the log"
            )

    def _state(self) -> tuple[dict[str, JSON], dict[str, Array]]:
        manifest, arrays = super()._state()
        manifest |= {"n_changes": self.n_changes, "change": list(self._change.state())}
        if self._warm_up is None:
            return manifest | {"warm_up": None}, arrays | self._map.arrays()
        actions, kept = self._warm_up.state()
        return manifest | {"warm_up": actions}, arrays | kept

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        n_changes = manifest.get("n_changes")
        if isinstance(n_changes, bool) or not isinstance(n_changes, int) or n_changes < 0:
            raise StateError(f"n_changes is {shown(n_changes)}: must be a whole number, at least 0")
        change = ChangeDetector.restored(manifest.get("change"))
        actions, fitted, warm_up = manifest.get("warm_up"), self._new_map(), None
        if actions is None:
            fitted.restore(arrays)
        else:
            warm_up = WarmUp.restored(self.n_context, self.n_shared, actions, arrays)
        super()._load_state(manifest, arrays)
        self._map, self._warm_up = fitted, warm_up
        self.n_changes, self._change = n_changes, change

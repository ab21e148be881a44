"""Bag: each action as often as models that saw the log differently hold it for the best.

One of the explorers over the linear model.
"""

from __future__ import annotations

import math
from hashlib import shake_128
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.epsilon_greedy import EpsilonGreedy
from policy.bandits.linear_policy import LinearOptions, LinearPolicy, share_of_best
from policy.bandits.recent_rows import RecentRows
from policy.base import Policy
from policy.bounds import whole_parameter
from policy.errors import StateError, shown
from policy.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from policy.bandits.arm_record import ArmSummary
    from policy.bandits.warm_up import Row
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]

MEMORY = 10_000
"""Decisions whose weights a correction still finds."""

_POISSON = np.cumsum([math.exp(-1.0) / math.factorial(count) for count in range(12)])


class Bag(LinearPolicy):
    """Online bootstrap: ``n_heads`` models, and p(a) the share of them that action a is best for.

    A head learns each row w times, with w from a Poisson distribution of mean 1, as the bootstrap
    does in the limit. The policy *is* the distribution of the heads' votes, so that it is exact.

    The weights of a row are a hash of its number: the same bits for any split into batches. A hash
    of its content would let rows be taken out again, but decisions in equal contexts would all
    weigh the same, and a head that gave them nothing would never learn of them. So ``remove``
    and ``merge`` are not supported. A correction meets the weights of its decision, which is told
    by its content among the last 10,000; that of an older one counts once in every head, which is
    right on average.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        n_heads: Models, 1 to 256; probabilities are multiples of 1 / n_heads before the floor,
            aside from ties.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = Bag(1, 0, n_heads=4, floor=0.0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])

    References:
        Eckles, Kaptein. Thompson Sampling with the Online Bootstrap. arXiv:1410.4009, 2014.
        Oza, Russell. Online Bagging and Boosting. AISTATS 2001.
    """

    kind: ClassVar[str] = "bag"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        n_heads: int = 10,
        **options: Unpack[LinearOptions],
    ) -> None:
        super().__init__(n_context, n_shared, **options)
        self.n_heads = whole_parameter("n_heads", n_heads, 1, 256)
        self._options = options
        self._others = self._new_others()
        self._recent = RecentRows(MEMORY)

    def _new_others(self) -> tuple[LinearPolicy, ...]:
        """The heads beside this policy's own model."""
        return tuple(
            EpsilonGreedy(self.n_context, self.n_shared, epsilon=0.0, **self._options)
            for _ in range(self.n_heads - 1)
        )

    @property
    def heads(self) -> tuple[LinearPolicy, ...]:
        """All of them."""
        return (self, *self._others)

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        votes, means = np.zeros(len(ids)), np.zeros(len(ids))
        for head in self.heads:
            expected = head.model.means(x, z, ids)
            means += expected
            votes += share_of_best(expected - costs)
        votes /= self.n_heads
        means /= self.n_heads
        return votes, means

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        total: Array = sum((head.model.means(x, z, ids) for head in self.heads), np.zeros(len(ids)))
        return total / self.n_heads

    def _learn_row(self, row: Row) -> None:
        if row.first:
            number: int | None = self._recent.n
            self._recent.append(row)
        else:
            number = self._recent.corrected(row)
        surprises: list[float] = []
        for head, weight in zip(self.heads, poisson_weights(number, self.n_heads), strict=True):
            # Known to every head, so that all of them number the actions alike.
            (slot,) = head.model.blocks.slots_for((row.action_id,))
            for _ in range(weight):
                if row.first:
                    surprises.append(head.model.learn(slot, row.x, row.z, row.reward))
                else:
                    head.model.correct(slot, row.x, row.z, row.reward, row.before)
        if row.first:
            surprise = sum(surprises) / max(len(surprises), 1)
            self.record.count(slot - 1, row.reward, surprise)
        else:
            self.record.correct(slot - 1, row.reward, row.before)

    def summary(self) -> list[ArmSummary]:
        """As in ``LinearPolicy``; the chance to be best is the share of the heads' votes."""
        ids = self.model.blocks.action_ids
        if not ids:
            return []
        votes = sum((share_of_best(head.model.at_average()[0]) for head in self.heads), np.zeros(1))
        return self.record.summaries(ids, votes / self.n_heads)

    def _explain(self, x: Array, z: Array, ids: tuple[str, ...]) -> Explanation:
        models = [head.model for head in self.heads]
        means = np.array([model.means(x, z, ids) for model in models])
        own = np.mean([model.own_weights(ids) for model in models], axis=0) * x
        shared = np.mean([model.shared_weights for model in models], axis=0) * z
        rest = np.zeros(len(ids))
        return Explanation(ids, means.mean(axis=0), means.std(axis=0), own, shared, rest)

    # What a row weighed depends on its number, which nobody knows of rows to take out or to add.
    _remove = Policy._remove
    _merge = Policy._merge

    def _state(self) -> tuple[dict[str, JSON], dict[str, Array]]:
        manifest, arrays = super()._state()
        heads: list[JSON] = []
        for index, head in enumerate(self._others):
            learned, own = head.state()
            heads.append(learned)
            arrays |= {f"{name}_{index}": array for name, array in own.items()}
        arrays["recent"] = self._recent.array()
        return {
            **manifest,
            "n_heads": self.n_heads,
            "n_rows": self._recent.n,
            "heads": heads,
        }, arrays

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        heads, n_rows = manifest.get("heads"), manifest.get("n_rows")
        if not isinstance(heads, list) or len(heads) != self.n_heads - 1:
            raise StateError(
                f"saved state has {shown(manifest.get('n_heads'))} heads: this policy has "
                f"{self.n_heads}; relearn it from the log"
            )
        if isinstance(n_rows, bool) or not isinstance(n_rows, int) or n_rows < 0:
            raise StateError(f"n_rows is {shown(n_rows)}: must be a whole number, at least 0")
        others, recent = self._new_others(), RecentRows(MEMORY)
        for index, (head, learned) in enumerate(zip(others, heads, strict=True)):
            if not isinstance(learned, dict):
                raise StateError(f"heads[{index}] is {shown(learned)}: must be a saved head")
            end = f"_{index}"
            own = {name: array for name, array in arrays.items() if name.endswith(end)}
            head.load_state(learned, {name[: -len(end)]: array for name, array in own.items()})
        recent.restore(n_rows, arrays, "recent")
        super()._load_state(manifest, arrays)
        self._others, self._recent = others, recent


def poisson_weights(number: int | None, n_heads: int) -> list[int]:
    """How often each head learns the row of this number; once where it is not known.

    Args:
        number: Of the row, at least 0.
        n_heads: Number of heads.

    Returns:
        (n_heads,) whole numbers from 0 to 12, Poisson with mean 1.

    Example:
        >>> poisson_weights(0, 3) == poisson_weights(0, 3)
        True
        >>> poisson_weights(None, 3)
        [1, 1, 1]
    """
    if number is None:
        return [1] * n_heads
    bits = shake_128(number.to_bytes(8, "little")).digest(8 * n_heads)
    uniform = np.frombuffer(bits, "<u8") * 2.0**-64
    weights: list[int] = _POISSON.searchsorted(uniform, side="right").tolist()
    return weights

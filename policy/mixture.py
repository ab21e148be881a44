"""A challenger beside the champion: one policy made of two, with exact probabilities.

Where a policy over bins of prices tries a second one on a share of its draws; what a service tries
beside its champion it mixes by the same ``mix``. Both learn from every reward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.base import Batch, Policy
from policy.bounds import parameter
from policy.errors import BatchError, ParameterError, StateError, UnsupportedError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policy.bandits.arm_record import ArmSummary
    from policy.explanation import Explanation
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]
State = tuple["dict[str, JSON]", dict[str, Array]]

PARTS = ("champion", "challenger")


def mix(champion: Array, challenger: Array, share: float) -> Array:
    """The distribution of a decision that the challenger takes with probability ``share``.

        p = (1 - share) p_champion + share p_challenger

    Args:
        champion: Probabilities, (n_actions,).
        challenger: Of the same actions.
        share: In [0, 1].

    Returns:
        (n_actions,); 0 where both are.

    Example:
        >>> mix(np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.0]), 0.2)
        array([0.9, 0.1, 0. ])
    """
    return (1.0 - share) * champion + share * challenger


class Mixture(Policy):
    """Decides as the champion, and in a share of the decisions as the challenger.

    The distributions are mixed before the one draw, so what is logged is exactly what was used and
    the log evaluates either. The exploration floor comes on top, once.

    The champion must not suffer from its challenger: a row that only the challenger refuses is
    learned by the champion alone, and counted in ``n_refused``. What is expected of an action is
    what the champion expects.

    Args:
        champion: Its floor becomes that of the mixture; it must have learned nothing yet.
        challenger: Its own floor plays no part.
        share: Of the decisions that the challenger takes, in [0, 1].

    Raises:
        ParameterError: The two are of other dimensions, or the share is out of range.

    Example:
        >>> from policy.base import Candidates
        >>> from policy.bandits.build import make_policy
        >>> greedy = make_policy("epsilon_greedy", 1, 0, epsilon=0.0, floor=0.0)
        >>> even = make_policy("epsilon_greedy", 1, 0, epsilon=1.0)
        >>> policy = Mixture(greedy, even, share=0.5)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])
    """

    kind: ClassVar[str] = "mixture"

    def __init__(self, champion: Policy, challenger: Policy, share: float) -> None:
        super().__init__(champion.n_context, champion.n_shared, floor=champion.floor)
        sizes = (challenger.n_context, challenger.n_shared)
        if sizes != (self.n_context, self.n_shared):
            raise ParameterError(
                f"challenger takes {sizes[0]} context and {sizes[1]} pair features: must be "
                f"{self.n_context} and {self.n_shared}, as the champion's"
            )
        self.champion = champion
        self.challenger = challenger
        self.share = parameter("share", share, 0.0, 1.0)
        self.n_refused = 0

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        ours, means = self.champion._decide(x, z, ids, costs, rng)
        theirs, _ = self.challenger._decide(x, z, ids, costs, rng)
        return mix(ours, theirs, self.share), means

    def summary(self) -> list[ArmSummary]:
        """What the champion has learned of each action."""
        return self.champion.summary()

    def _explain(self, x: Array, z: Array, ids: tuple[str, ...]) -> Explanation:
        return self.champion._explain(x, z, ids)

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        return self.champion._expected_rewards(x, z, ids)

    def _update(self, batch: Batch) -> None:
        self.champion.update(batch)
        try:
            self.challenger.update(batch)
        except BatchError:
            for row in range(len(batch.action_ids)):
                self._challenge(_row(batch, row))

    def _challenge(self, row: Batch) -> None:
        try:
            self.challenger.update(row)
        except BatchError:
            self.n_refused += 1

    def _remove(self, batch: Batch) -> None:
        if self.n_refused:
            raise UnsupportedError(
                f"the challenger refused {self.n_refused} rows, and which is not known any more: "
                "relearn both from the log without the rows to remove"
            )
        self._both(lambda policy, _: policy.remove(batch))

    def _merge(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        n_refused = _refused(manifest)
        self._both(lambda policy, part: policy.merge(*part_of(part, manifest, arrays)))
        self.n_refused += n_refused

    def _state(self) -> State:
        manifest: dict[str, JSON] = {"n_refused": self.n_refused}
        arrays: dict[str, Array] = {}
        for part, policy in zip(PARTS, (self.champion, self.challenger), strict=True):
            manifest[part], learned = policy.state()
            arrays |= {f"{part}_{name}": array for name, array in learned.items()}
        return manifest, arrays

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        n_refused = _refused(manifest)
        self._both(lambda policy, part: policy.load_state(*part_of(part, manifest, arrays)))
        self.n_refused = n_refused

    def _both(self, change: Callable[[Policy, str], None]) -> None:
        """Change both policies, or neither."""
        before = self.champion.state()
        change(self.champion, PARTS[0])
        try:
            change(self.challenger, PARTS[1])
        except Exception:
            self.champion.load_state(*before)
            raise


def _refused(manifest: Mapping[str, JSON]) -> int:
    n_refused = manifest.get("n_refused")
    if isinstance(n_refused, bool) or not isinstance(n_refused, int) or n_refused < 0:
        raise StateError(f"n_refused is {shown(n_refused)}: must be a whole number, at least 0")
    return n_refused


def part_of(part: str, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> State:
    """One policy's share of a mixture's state.

    Args:
        part: One of ``PARTS``.
        manifest: From the mixture's ``state``.
        arrays: Likewise.

    Raises:
        StateError: It is none of a mixture.
    """
    saved = manifest.get(part)
    if not isinstance(saved, dict):
        raise StateError(f"{part} is {shown(saved)}: must be the state of a policy")
    prefix = f"{part}_"
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    return saved, own


def _row(batch: Batch, row: int) -> Batch:
    one = slice(row, row + 1)
    return Batch(
        batch.contexts[one],
        batch.features[one],
        batch.action_ids[one],
        batch.rewards[one],
        batch.first[one],
        None if batch.before is None else batch.before[one],
    )

"""A trained network behind the contract of every policy, so that it is served and logged the same.

It decides and does not learn: what it knows came from the simulator, and a new training makes a
new model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.base import Policy
from policy.errors import DecisionError, ParameterError, shown, suggestion
from policy.ppo.network import KIND, SCHEMA, Network, from_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.base import Batch
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]


class PPOPolicy(Policy):
    """The network's distribution over the candidates: softmax of their logits, floor mixed in.

    The context must be the network's observation. Pair features and costs are not looked at: what
    an action costs was part of the reward that it was trained on. Rewards are counted, not learned.

    Args:
        network: From ``policy.ppo.network.from_bytes``.
        n_shared: Number of pair features, which are ignored.
        floor: See ``Policy``.

    Example:
        >>> from policy.base import Candidates
        >>> from policy.ppo.network import untrained
        >>> network = untrained(("x",), ("a", "b", "c"), np.random.default_rng(0))
        >>> policy = PPOPolicy(network, floor=0.0)
        >>> pair = Candidates(("c", "a"), np.zeros((2, 0)))
        >>> policy.distribution(np.zeros(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])
    """

    kind: ClassVar[str] = KIND
    schema: ClassVar[int] = SCHEMA

    def __init__(self, network: Network, n_shared: int = 0, *, floor: float = 0.01) -> None:
        super().__init__(len(network.feature_names), n_shared, floor=floor)
        self._serve(network)

    @property
    def network(self) -> Network:
        """What decides."""
        return self._network

    def require(self, feature_names: tuple[str, ...], action_ids: tuple[str, ...]) -> None:
        """Nothing, where the network was trained on these features and knows these actions.

        Raises:
            ParameterError: It was not; the message names the first difference.
        """
        trained = self._network.feature_names
        if feature_names != trained:
            pairs = list(zip(feature_names, trained, strict=False))
            differing = [pair for pair in pairs if pair[0] != pair[1]]
            given, known = differing[0] if differing else (len(feature_names), len(trained))
            raise ParameterError(
                f"context has {shown(given)} where the model was trained on {shown(known)}: train "
                "one on the features of this service"
            )
        for action_id in action_ids:
            self._column(action_id)

    def _serve(self, network: Network) -> None:
        self._network = network
        self._columns = {action_id: i for i, action_id in enumerate(network.action_ids)}
        self._last: tuple[tuple[str, ...], npt.NDArray[np.int64]] | None = None

    def _column(self, action_id: str) -> int:
        column = self._columns.get(action_id)
        if column is None:
            raise DecisionError(
                f"the model knows no action {shown(action_id)}: "
                f"{suggestion(action_id, self._columns)}; train one on this catalog"
            )
        return column

    def _columns_of(self, ids: tuple[str, ...]) -> npt.NDArray[np.int64]:
        # The loop hands over the same tuple again and again.
        if self._last is None or self._last[0] is not ids:
            self._last = ids, np.array([self._column(action_id) for action_id in ids])
        return self._last[1]

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        logits = self._network.logits(x)[self._columns_of(ids)].astype(np.float64)
        logits -= np.maximum.reduce(logits)
        weights: Array = np.exp(logits, out=logits)
        weights /= np.add.reduce(weights)
        return weights, self._expected_rewards(x, z, ids)

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        """The critic's value of the visitor for each: it does not tell actions apart."""
        self._columns_of(ids)
        return np.full(len(ids), float(self._network.value(x)))

    def _update(self, batch: Batch) -> None:
        for action_id in set(batch.action_ids):
            self._column(action_id)

    def _state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[np.float64]]]:
        names: dict[str, JSON] = {
            "feature_names": list(self._network.feature_names),
            "action_ids": list(self._network.action_ids),
        }
        arrays = {name: array.copy() for name, array in self._network.arrays().items()}
        return names, arrays

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        names = self._network.feature_names, self._network.action_ids
        for field, own in zip(("feature_names", "action_ids"), names, strict=True):
            if manifest.get(field) != list(own):
                raise ParameterError(
                    f"saved {field} are {shown(manifest.get(field))}: this model has {shown(own)}"
                )
        self._serve(from_arrays(*names, arrays))

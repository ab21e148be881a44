"""A trained network behind the contract of every policy, so that it is served and logged the same.

It decides and does not learn: what it knows came from the simulator, and a new training makes a
new model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import numpy.typing as npt

from policy.base import Policy
from policy.bounds import LARGEST_REWARD, parameter
from policy.errors import DecisionError, ParameterError, StateError, shown, suggestion
from policy.ppo.forward import Forward
from policy.ppo.network import KIND, SCHEMA, from_arrays, untrained

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.base import Batch
    from policy.model_file import JSON
    from policy.ppo.network import Network

Array = npt.NDArray[np.float64]

LEAST_TEMPERATURE: Final = 1e-6
PARAMETERS: Final[dict[str, float]] = {"floor": 0.01, "temperature": 1.0}
"""What may be given beside the network, with the defaults."""


class PPOPolicy(Policy):
    """The network's distribution over the candidates, cheapened by costs, and the floor mixed in.

        q(a) ∝ exp(logit(a) - cost(a) / temperature)

    The network's features are taken out of the context by name; what else is in it is not looked
    at, nor are pair features. What an action costs the shop was part of the reward in training, so
    ``cost`` is only what a budget adds. Rewards are counted, not learned: rows can be taken out
    and replicas merged, since nothing is kept of them.

    Args:
        network: From ``policy.ppo.network.from_bytes``.
        context_names: Of the context's entries; None for the network's own features.
        n_shared: Number of pair features, which are ignored.
        floor: See ``Policy``.
        temperature: The reward that weighs as much as one logit; for costs only.

    Raises:
        ParameterError: The context lacks a feature that the network was trained on.

    Example:
        >>> from policy.base import Candidates
        >>> from policy.ppo.network import untrained
        >>> network = untrained(("x",), ("a", "b", "c"), np.random.default_rng(0))
        >>> policy = PPOPolicy(network, ("intercept", "x"), floor=0.0)
        >>> pair = Candidates(("c", "a"), np.zeros((2, 0)))
        >>> policy.distribution(np.array([1.0, 0.0]), pair, np.random.default_rng(0))
        array([0.5, 0.5])
    """

    kind: ClassVar[str] = KIND
    schema: ClassVar[int] = SCHEMA
    learns: ClassVar[bool] = False

    def __init__(
        self,
        network: Network,
        context_names: Sequence[str] | None = None,
        n_shared: int = 0,
        *,
        floor: float = 0.01,
        temperature: float = 1.0,
    ) -> None:
        names = network.feature_names if context_names is None else tuple(context_names)
        super().__init__(len(names), n_shared, floor=floor)
        self.temperature = parameter("temperature", temperature, LEAST_TEMPERATURE, LARGEST_REWARD)
        self.network = network
        self.digest = network.digest()
        self._forward = Forward(network)
        self._seen = _places(names, network.feature_names)
        self._columns = {action_id: i for i, action_id in enumerate(network.action_ids)}
        self._last: tuple[tuple[str, ...], npt.NDArray[np.intp] | None] | None = None

    def require(self, action_ids: Sequence[str]) -> None:
        """Nothing, where the network knows all of these actions.

        Raises:
            ParameterError: It was trained on another catalog; the message names the action.
        """
        for action_id in action_ids:
            if action_id not in self._columns:
                raise ParameterError(self._unknown(action_id))

    def _unknown(self, action_id: str) -> str:
        return (
            f"the model knows no action {shown(action_id)}: "
            f"{suggestion(action_id, self._columns)}; train one on this catalog"
        )

    def _columns_of(self, ids: tuple[str, ...]) -> npt.NDArray[np.intp] | None:
        """Where the candidates stand among the network's actions; None for in the same order."""
        # The loop hands over the same tuple again and again.
        if self._last is None or self._last[0] is not ids:
            for action_id in ids:
                if action_id not in self._columns:
                    raise DecisionError(self._unknown(action_id))
            columns = np.array([self._columns[action_id] for action_id in ids], np.intp)
            self._last = ids, None if ids == self.network.action_ids else columns
        return self._last[1]

    def _judged(self, x: Array) -> tuple[npt.NDArray[np.float32], float]:
        return self._forward(x.take(self._seen).astype(np.float32))

    def _decide(
        self,
        x: Array,
        z: Array,
        ids: tuple[str, ...],
        costs: Array | float,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        columns = self._columns_of(ids)
        scores, value = self._judged(x)
        logits = (scores if columns is None else scores.take(columns)).astype(np.float64)
        if not isinstance(costs, float):
            logits -= costs / self.temperature
        logits -= np.maximum.reduce(logits)
        weights: Array = np.exp(logits, out=logits)
        weights /= np.add.reduce(weights)
        means = np.empty(len(ids))
        means.fill(value)
        return weights, means

    def _expected_rewards(self, x: Array, z: Array, ids: tuple[str, ...]) -> Array:
        """The critic's value of the visitor for each: it does not tell actions apart."""
        self._columns_of(ids)
        return np.full(len(ids), self._judged(x)[1])

    def _update(self, batch: Batch) -> None:
        """Nothing: what the log says of an action, known to the network or not, is only counted."""

    def _remove(self, batch: Batch) -> None:
        """Nothing was kept of the rows."""

    def _merge(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        """Nothing but counts, where both serve the same network."""
        self._load_state(manifest, arrays)

    def _state(self) -> tuple[dict[str, JSON], dict[str, npt.NDArray[np.float64]]]:
        # Names of its own: a service writes those of its placement beside them.
        manifest: dict[str, JSON] = {
            "digest": self.digest,
            "observed": list(self.network.feature_names),
            "actions": list(self.network.action_ids),
        }
        return manifest, {name: array.copy() for name, array in self.network.arrays().items()}

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        """Nothing but a check: the network is the one that the policy was made with."""
        own = self.network
        names = {"observed": own.feature_names, "actions": own.action_ids}
        for field, known in names.items():
            if manifest.get(field) != list(known):
                raise StateError(
                    f"saved {field} are {shown(manifest.get(field))}: this model has {shown(known)}"
                )
        saved = from_arrays(own.feature_names, own.action_ids, arrays).digest()
        if saved != self.digest or manifest.get("digest") != saved:
            raise StateError(
                f"saved state is of the model {saved[:8]}: this policy serves {self.digest[:8]}"
            )


def check_parameters(parameters: Mapping[str, float]) -> None:
    """Nothing, where a network can be served with these.

    Raises:
        ParameterError: Of another name, or out of range.

    Example:
        >>> check_parameters({"floor": 0.05})
    """
    for name in parameters:
        if name not in PARAMETERS:
            raise ParameterError(
                f"policy {KIND!r} has no parameter {shown(name)}: {suggestion(name, PARAMETERS)}"
            )
    network = untrained(("x",), ("a",), np.random.default_rng(0), width=1)
    PPOPolicy(network, None, 0, **parameters)


def _places(names: tuple[str, ...], wanted: tuple[str, ...]) -> npt.NDArray[np.intp]:
    """Where the wanted features stand among the names."""
    places = {name: i for i, name in enumerate(names)}
    for name in wanted:
        if name not in places:
            raise ParameterError(
                f"the model was trained on the feature {shown(name)}, which the context lacks: "
                f"{suggestion(name, places)}; declare it, or train on the features that there are"
            )
    return np.array([places[name] for name in wanted], np.intp)

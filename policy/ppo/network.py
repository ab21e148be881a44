"""The trained network as plain arrays, and its forward pass in numpy: what the service runs.

No torch here. `policy.ppo.train` exports a network, `policy.ppo.policy` decides with one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from policy.errors import DecisionError, StateError, shown
from policy.model_file import dump, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.model_file import JSON

Array = npt.NDArray[np.float32]

KIND: Final = "ppo"
SCHEMA: Final = 1
CLIP: Final = 10.0
"""Scaled features beyond this are cut off, in training as in serving."""
LAYERS: Final = ("hidden_1", "hidden_2", "action", "value_hidden_1", "value_hidden_2", "value")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """An actor and a critic of two tanh layers each, with the scaling of what they see.

        x = clip((observation - mean) · scale, ±10)
        logits = W₃ tanh(W₂ tanh(W₁ x + b₁) + b₂) + b₃

    Args:
        feature_names: Of the observation, in order.
        action_ids: Of the logits, in order.
        mean, scale: Of the observation, (n_features,).
        weights: By name in ``LAYERS``, (n_outputs, n_inputs).
        biases: By name in ``LAYERS``, (n_outputs,).

    Raises:
        StateError: Arrays of shapes that do not fit together, or not finite.

    Example:
        >>> network = untrained(("x", "y"), ("a", "b", "c"), np.random.default_rng(0))
        >>> network.probabilities(np.zeros(2, np.float32)).sum().round(6)
        np.float32(1.0)
    """

    feature_names: tuple[str, ...]
    action_ids: tuple[str, ...]
    mean: Array
    scale: Array
    weights: dict[str, Array]
    biases: dict[str, Array]

    kind: ClassVar[str] = KIND

    def __post_init__(self) -> None:
        n_features, n_actions = len(self.feature_names), len(self.action_ids)
        if len(set(self.action_ids)) != n_actions or n_actions == 0:
            raise StateError(f"actions are {shown(self.action_ids)}: must be distinct, at least 1")
        for name, array in (("mean", self.mean), ("scale", self.scale)):
            _check(name, array, (n_features,))
        widths = {"value": 1, "action": n_actions}
        for name in LAYERS:
            if name not in self.weights or name not in self.biases:
                raise StateError(f"network has no layer {name!r}")
            n_inputs = n_features if name.endswith("hidden_1") else self._width_before(name)
            n_outputs = widths.get(name, int(self.weights[name].shape[0]))
            _check(f"weights of {name}", self.weights[name], (n_outputs, n_inputs))
            _check(f"biases of {name}", self.biases[name], (n_outputs,))

    def _width_before(self, name: str) -> int:
        prefix = "value_" if name.startswith("value") else ""
        before = "hidden_1" if name.endswith("hidden_2") else "hidden_2"
        return int(self.weights[prefix + before].shape[0])

    def scaled(self, observation: npt.ArrayLike) -> Array:
        """The network's inputs, (..., n_features)."""
        x = (np.asarray(observation, np.float32) - self.mean) * self.scale
        # As fast as np.clip is slow on few numbers.
        clipped: Array = np.minimum(np.maximum(x, -CLIP, out=x), CLIP, out=x)
        return clipped

    def logits(self, observation: npt.ArrayLike) -> Array:
        """The actor's scores, (..., n_actions)."""
        return self._through(self.scaled(observation), "", "action")

    def value(self, observation: npt.ArrayLike) -> Array:
        """The critic's guess of the discounted reward to come, (...)."""
        return self._through(self.scaled(observation), "value_", "value")[..., 0]

    def digest(self) -> str:
        """Names the network by everything that it decides with: names, scaling and weights."""
        hashed = hashlib.sha256("\0".join((*self.feature_names, "", *self.action_ids)).encode())
        for name, array in sorted(self.arrays().items()):
            hashed.update(f"\0{name}{array.shape}".encode() + array.astype("<f4").tobytes())
        return hashed.hexdigest()

    def probabilities(
        self, observation: npt.ArrayLike, mask: npt.NDArray[np.bool_] | None = None
    ) -> Array:
        """The distribution over actions; a masked action has probability exactly 0.

        Args:
            observation: (n_features,) or (n, n_features).
            mask: True where an action is allowed, of the result's shape; None for all.

        Returns:
            (n_actions,) or (n, n_actions).

        Raises:
            DecisionError: Everything is masked.
        """
        logits = self.logits(observation)
        if mask is not None:
            np.copyto(logits, -np.inf, where=~mask)
        best = np.maximum.reduce(logits, axis=-1, keepdims=True)
        if mask is not None and best.min() == -np.inf:
            raise DecisionError("every action is masked: at least one must be allowed")
        logits -= best
        weights = np.exp(logits, out=logits)
        weights /= np.add.reduce(weights, axis=-1, keepdims=True)
        return weights

    def _through(self, x: Array, prefix: str, last: str) -> Array:
        for layer in ("hidden_1", "hidden_2"):
            x = x @ self.weights[prefix + layer].T
            x += self.biases[prefix + layer]
            np.tanh(x, out=x)
        x = x @ self.weights[last].T
        x += self.biases[last]
        return x

    def to_bytes(self, notes: Mapping[str, JSON] | None = None) -> bytes:
        """A model file; see ``policy.model_file``.

        Args:
            notes: How it came about, for people: scenario, frames, score.
        """
        manifest: dict[str, JSON] = {
            "kind": KIND,
            "schema": SCHEMA,
            "feature_names": list(self.feature_names),
            "action_ids": list(self.action_ids),
            "notes": dict(notes or {}),
        }
        return dump(manifest, self.arrays())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything learned, by name."""
        arrays: dict[str, npt.NDArray[Any]] = {"mean": self.mean, "scale": self.scale}
        for name in LAYERS:
            arrays |= {f"{name}_weights": self.weights[name], f"{name}_biases": self.biases[name]}
        return arrays


def from_bytes(data: bytes) -> Network:
    """The network of a model file.

    Raises:
        ModelFileError: The bytes are no model file.
        StateError: It is of another kind or schema, or its arrays do not fit together.
    """
    return from_parts(*load(data))


def from_parts(manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[Any]]) -> Network:
    """The network of a model file that was read already, or of what a service saved of one.

    Raises:
        StateError: As ``from_bytes``.
    """
    for name, needed in (("kind", KIND), ("schema", SCHEMA)):
        if manifest.get(name) != needed:
            raise StateError(
                f"model file has {name} {shown(manifest.get(name))}: must be {needed!r}; "
                "train one with this version"
            )
    # A service writes the names of its own features beside a policy's state.
    observed, actions = (
        ("observed", "actions") if "observed" in manifest else ("feature_names", "action_ids")
    )
    return from_arrays(_names(manifest, observed), _names(manifest, actions), arrays)


def from_arrays(
    feature_names: tuple[str, ...],
    action_ids: tuple[str, ...],
    arrays: Mapping[str, npt.NDArray[Any]],
) -> Network:
    """The inverse of ``Network.arrays``.

    Raises:
        StateError: An array is missing or does not fit.
    """
    wanted = {"mean", "scale", *(f"{n}_{part}" for n in LAYERS for part in ("weights", "biases"))}
    if missing := sorted(wanted - arrays.keys()):
        raise StateError(f"model has no array {missing[0]!r}")
    single = {name: np.ascontiguousarray(arrays[name], np.float32) for name in wanted}
    return Network(
        feature_names,
        action_ids,
        single["mean"],
        single["scale"],
        {name: single[f"{name}_weights"] for name in LAYERS},
        {name: single[f"{name}_biases"] for name in LAYERS},
    )


def untrained(
    feature_names: tuple[str, ...],
    action_ids: tuple[str, ...],
    rng: np.random.Generator,
    width: int = 64,
) -> Network:
    """A network of random weights, for tests and timing."""
    n_features, n_actions = len(feature_names), len(action_ids)
    shapes = [(width, n_features), (width, width), (n_actions, width)]
    shapes += [(width, n_features), (width, width), (1, width)]
    weights = {
        name: (rng.normal(size=shape) / np.sqrt(shape[1])).astype(np.float32)
        for name, shape in zip(LAYERS, shapes, strict=True)
    }
    biases = {name: np.zeros(len(weights[name]), np.float32) for name in LAYERS}
    ones = np.ones(n_features, np.float32)
    return Network(feature_names, action_ids, 0.0 * ones, ones, weights, biases)


def _names(manifest: Mapping[str, JSON], field: str) -> tuple[str, ...]:
    names = manifest.get(field)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StateError(f"{field} is {shown(names)}: must be a list of names")
    return tuple(str(name) for name in names)


def _check(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise StateError(f"{name} has shape {array.shape}: must be {shape}")
    if not np.isfinite(array).all():
        raise StateError(f"{name} holds NaN or infinity: the model is damaged; train it again")

"""Neural-linear: upper confidence bounds on the last layer of a small neural network.

LinUCB over a linear model whose features are learned as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from policy.bandits.feature_net import FeatureNet
from policy.bandits.linear_algebra import one_thread
from policy.bandits.linear_model import HybridLinearModel, OwnPriors
from policy.bandits.linucb import LinUCB
from policy.bandits.replay_buffer import ReplayBuffer
from policy.base import Policy
from policy.bounds import whole_parameter
from policy.errors import StateError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from policy.bandits.linear_policy import LinearOptions
    from policy.bandits.warm_up import Row
    from policy.model_file import JSON

Array = npt.NDArray[np.float64]

FIRST_TRAINING = 128
"""Rows before the network is first trained; the model is linear until then."""

COUNTERS = ("n_rows", "n_trainings", "next_training")


class NeuralLinear(LinUCB):
    """A Bayesian linear model on [x, φ(x)], with φ the last layer of a network trained online.

        score(a) = mean(a) + alpha sd(a) - cost(a)

    All mass on the highest score, then the floor. The context itself stays beside φ: what is
    linear is learned from the first row on and is never lost to a bad training.

    After 128 rows, whenever their number doubles, and at least every ``memory`` rows the network
    is trained on the last ``memory`` rows; since its features then mean something else, the linear
    model is built anew from those rows. Older ones are forgotten with it, and so are their
    corrections. A training takes about as long as learning those rows: some hundred milliseconds
    in an update. It starts at fixed numbers of rows and draws from generators that are keyed by
    its number, so that any split into batches gives the same bits. What a network has learned
    cannot be taken out of it or added up: ``remove`` and ``merge`` are not supported.

    Args:
        n_context: Length of a context.
        n_shared: Number of pair features.
        alpha: Width of the bound in standard deviations, at least 0.
        n_features: Length of φ, 1 to 512.
        memory: Rows to train on, 128 to 1,000,000; up to twice as many are kept.
        **options: See ``LinearPolicy``.

    Raises:
        ParameterError: A parameter is out of its range.

    Example:
        >>> from policy.base import Candidates
        >>> policy = NeuralLinear(1, 0, floor=0.0)
        >>> pair = Candidates(("a", "b"), np.zeros((2, 0)))
        >>> policy.distribution(np.ones(1), pair, np.random.default_rng(0))
        array([0.5, 0.5])

    References:
        Riquelme, Tucker, Snoek. Deep Bayesian Bandits Showdown. ICLR 2018.
        Zahavy, Mannor. Neural Linear Bandits: Overcoming Catastrophic Forgetting through
        Likelihood Matching. arXiv:1901.08612, 2019.
    """

    kind: ClassVar[str] = "neural_linear"

    def __init__(
        self,
        n_context: int,
        n_shared: int,
        *,
        alpha: float = 1.0,
        n_features: int = 32,
        memory: int = 4096,
        **options: Unpack[LinearOptions],
    ) -> None:
        self.n_features = whole_parameter("n_features", n_features, 1, 512)
        self.memory = whole_parameter("memory", memory, FIRST_TRAINING, 1_000_000)
        super().__init__(n_context, n_shared, alpha=alpha, **options)
        self.given |= {"n_features": n_features, "memory": memory}
        self._net = FeatureNet(n_context, n_features)
        self._buffer = self._new_buffer()
        self.n_rows = 0
        self.n_trainings = 0
        self.next_training = FIRST_TRAINING

    def _new_model(self) -> HybridLinearModel:
        given = self.given
        return HybridLinearModel(
            self.n_context + self.n_features,
            self.n_shared,
            prior_shared=given["prior_shared"],
            own=OwnPriors(given["prior_intercept"], given["prior_action"], None, self.n_features),
            half_life=given["half_life"],
        )

    def _new_buffer(self) -> ReplayBuffer:
        return ReplayBuffer(self.n_context, self.n_shared, 2 * self.memory)

    def _lifted(self, x: Array) -> Array:
        return np.concatenate([x, self._net.features(x[None])[0]])

    def _learn_row(self, row: Row) -> None:
        if not row.first:
            if self._buffer.correct(row):
                self._learn_in_model(row._replace(x=self._lifted(row.x)))
            return
        self._buffer.append(row)
        self._learn_in_model(row._replace(x=self._lifted(row.x)))
        self.n_rows += 1
        if self.n_rows >= self.next_training:
            with one_thread():
                self._train()
            self.next_training = min(2 * self.n_rows, self.n_rows + self.memory)

    def _train(self) -> None:
        self._buffer.keep_last(self.memory)
        rows, model = self._buffer.rows, self.model
        contexts = np.array([row.x for row in rows])
        slots = model.blocks.slots_for([row.action_id for row in rows])
        # The network is to find what the shared part leaves.
        shared = np.array([np.dot(row.z, model.shared_weights) for row in rows])
        rewards = np.array([row.reward for row in rows])
        rng = np.random.Generator(np.random.Philox(key=self.n_trainings))
        actions, n_actions = np.array(slots) - 1, len(model.blocks.action_ids)
        self._net.train(contexts, actions, rewards - shared, n_actions, rng)
        self.n_trainings += 1
        self._learn_anew(rows, np.hstack([contexts, self._net.features(contexts)]))

    def _learn_anew(self, rows: list[Row], lifted: Array) -> None:
        known = self.model.blocks.action_ids
        self.model = self._new_model()
        # Also those without a row left, in their order: corrections and the network know them.
        self.model.blocks.slots_for(known)
        for row, x in zip(rows, lifted, strict=True):
            self.model.learn(self.model.blocks.slots_for((row.action_id,))[0], x, row.z, row.reward)

    _remove = Policy._remove
    _merge = Policy._merge

    def _state(self) -> tuple[dict[str, JSON], dict[str, Array]]:
        manifest, arrays = super()._state()
        counters: dict[str, JSON] = {name: getattr(self, name) for name in COUNTERS}
        arrays |= self._net.arrays() | self._buffer.arrays(self.model.blocks.action_ids)
        return manifest | counters, arrays

    def _load_state(self, manifest: Mapping[str, JSON], arrays: Mapping[str, Array]) -> None:
        counters: dict[str, int] = {}
        for name in COUNTERS:
            value = manifest.get(name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise StateError(f"{name} is {shown(value)}: must be a whole number, at least 0")
            counters[name] = value
        actions = self._saved_actions(manifest)
        net, buffer = FeatureNet(self.n_context, self.n_features), self._new_buffer()
        is_trained = counters["n_trainings"] > 0
        net.restore(arrays, is_trained=is_trained, n_actions=len(actions))
        buffer.restore(actions, arrays)
        super()._load_state(manifest, arrays)
        self._net, self._buffer = net, buffer
        for name, count in counters.items():
            setattr(self, name, count)

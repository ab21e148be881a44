"""Training by stable-baselines3's PPO, from an environment to a network that numpy serves.

Needs the extra `train`. Between a simulator's vector environment and `policy.ppo.network`. A run
is a chain of legs; after each, everything that the next one needs is in one checkpoint file.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from policy.errors import ParameterError, StateError
from policy.model_file import dump, load
from policy.ppo.installed import require_train

require_train()

import torch  # noqa: E402  # after what explains its absence
from stable_baselines3 import PPO  # noqa: E402
from stable_baselines3.common.callbacks import BaseCallback  # noqa: E402
from stable_baselines3.common.utils import set_random_seed  # noqa: E402

from policy.ppo.masked import MaskedPolicy, Scaled, export, public_critic  # noqa: E402
from policy.ppo.vec_env import MaskedVecEnv  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gymnasium.vector import VectorEnv

    from policy.ppo.network import Network
    from policy.ppo.settings import TrainingSettings

SCALING_STEPS = 64
CHECKPOINT_KIND = "ppo-checkpoint"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training ends with.

    Args:
        network: The best by score, where there is a score; else the last.
        frames: Environment steps.
        scores: Frames and score after each leg; empty without a ``score``.
    """

    network: Network
    frames: int
    scores: tuple[tuple[int, float], ...]


def train(
    envs: VectorEnv[Any, Any, Any],
    feature_names: tuple[str, ...],
    action_ids: tuple[str, ...],
    settings: TrainingSettings,
    *,
    score: Callable[[Network], float] | None = None,
    checkpoint: Path | None = None,
    on_frames: Callable[[int], None] | None = None,
) -> Trained:
    """Train, keeping the best network.

    Args:
        envs: SAME_STEP vector environment with ``info["action_mask"]``; what it tells the critic
            alone, see ``policy.ppo.vec_env``, steadies the learning and is not needed afterwards.
        feature_names: Of the observation.
        action_ids: Of the actions.
        settings: Hyperparameters.
        score: Judges a network after each leg, the higher the better.
        checkpoint: A file to resume from if it is there, and rewritten after each leg.
        on_frames: Told the number of frames so far, after each rollout; for a progress bar.

    Raises:
        ParameterError: Names that do not fit the environment, or a batch size that does not
            divide a rollout.
        StateError: A checkpoint of other settings, features or actions.
    """
    vec = MaskedVecEnv(envs, settings.reward_unit)
    n_columns = len(feature_names) + len(action_ids) + vec.n_told
    if vec.observation_space.shape != (n_columns,) or vec.action_space.n != len(action_ids):
        raise ParameterError(
            f"{len(feature_names)} features and {len(action_ids)} actions do not fit spaces "
            f"{envs.single_observation_space} and {envs.single_action_space}"
        )
    collected = settings.n_steps * envs.num_envs
    if collected % settings.batch_size:
        raise ParameterError(
            f"batch_size is {settings.batch_size}: must divide n_steps * num_envs, {collected}"
        )
    run = _Run(vec, feature_names, action_ids, settings)
    if checkpoint is not None and checkpoint.exists():
        run.resume(checkpoint.read_bytes())
    while run.frames < settings.frames:
        run.leg(on_frames)
        run.judge(score)
        if checkpoint is not None:
            _write(checkpoint, run.state())
    return Trained(run.best(), run.frames, tuple(run.scores))


class _Run:
    """One training under way."""

    def __init__(
        self,
        vec: MaskedVecEnv,
        feature_names: tuple[str, ...],
        action_ids: tuple[str, ...],
        settings: TrainingSettings,
    ) -> None:
        self.vec = vec
        self.names = feature_names, action_ids
        self.settings = settings
        self.scores: list[tuple[int, float]] = []
        self.progress = 0.0
        self._best: Network | None = None
        mean, scale = _scaling(vec, len(feature_names), settings.seed)
        self.model = PPO(
            MaskedPolicy,
            vec,
            learning_rate=lambda _: settings.learning_rate * (1.0 - 0.9 * self.progress),
            n_steps=settings.n_steps,
            batch_size=settings.batch_size,
            n_epochs=settings.epochs,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            clip_range=settings.clip_range,
            ent_coef=settings.entropy,
            vf_coef=settings.value_weight,
            policy_kwargs={
                "net_arch": [settings.width, settings.width],
                "features_extractor_class": Scaled,
                "features_extractor_kwargs": {
                    "mean": mean,
                    "scale": scale,
                    "n_features": len(feature_names),
                },
            },
            seed=settings.seed,
            device="cpu",
        )
        if settings.idle:
            share = settings.idle / (1.0 - settings.idle) * (len(action_ids) - 1)
            with torch.no_grad():
                self.model.policy.action_net.bias[0] += math.log(share)

    @property
    def frames(self) -> int:
        return int(self.model.num_timesteps)

    def advance(self) -> None:
        """Notes how far the training is, for what falls with it."""
        self.progress = min(self.frames / self.settings.frames, 1.0)
        self.model.ent_coef = self.settings.entropy * (1.0 - self.progress)

    def leg(self, on_frames: Callable[[int], None] | None) -> None:
        """Train up to the next checkpoint, on luck that depends on the seed and the frames only."""
        settings = self.settings
        seed = int(np.random.SeedSequence([settings.seed, self.frames]).generate_state(1)[0] >> 1)
        set_random_seed(seed)
        self.vec.seed(seed)
        self.model._last_obs = None
        target = (self.frames // settings.checkpoint_frames + 1) * settings.checkpoint_frames
        left = min(target, settings.frames) - self.frames
        self.model.learn(left, callback=_Each(self, on_frames), reset_num_timesteps=False)

    def judge(self, score: Callable[[Network], float] | None) -> None:
        network = self.exported()
        if score is None:
            self._best = network
            return
        value = score(network)
        if not math.isfinite(value):
            raise ParameterError(f"score is {value}: must be a finite number")
        if self._best is None or value > max(known for _, known in self.scores):
            self._best = network
        self.scores.append((self.frames, value))

    def best(self) -> Network:
        return self._best or self.exported()

    def exported(self) -> Network:
        """The policy as it is now, with a critic that needs no more than the features."""
        policy, critic = self.model.policy, None
        if self.vec.n_told:
            seen = torch.as_tensor(self.model.rollout_buffer.observations)
            critic = public_critic(policy, seen.reshape(-1, seen.shape[-1]))
        return export(policy, *self.names, critic=critic, reward_unit=self.settings.reward_unit)

    def state(self) -> bytes:
        """Everything that the next leg needs, as a model file."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, tensor in self.model.policy.state_dict().items():
            arrays[_key("p", name)] = tensor.cpu().numpy()
        for index, moments in self.model.policy.optimizer.state_dict()["state"].items():
            for name, tensor in moments.items():
                arrays[f"o_{index}_{name}"] = np.atleast_1d(tensor.cpu().numpy())
        for name, array in self.best().arrays().items():
            arrays[f"b_{name}"] = array
        head = {**self._head(), "frames": self.frames, "n_updates": self.model._n_updates}
        return dump({**head, "scores": [list(pair) for pair in self.scores]}, arrays)

    def resume(self, data: bytes) -> None:
        """Take over what ``state`` gave."""
        from policy.ppo.network import from_arrays  # noqa: PLC0415  # only resuming needs it

        manifest, arrays = load(data)
        for name, needed in self._head().items():
            if manifest.get(name) != needed:
                raise StateError(
                    f"checkpoint is of {name} {manifest.get(name)!r:.120}, this run of "
                    f"{needed!r:.120}: give it another file, or train as before"
                )
        policy = self.model.policy
        weights = policy.state_dict()
        policy.load_state_dict({name: torch.as_tensor(arrays[_key("p", name)]) for name in weights})
        saved = policy.optimizer.state_dict()
        for index in range(len(saved["param_groups"][0]["params"])):
            saved["state"][index] = {
                "step": torch.as_tensor(arrays[f"o_{index}_step"][0]),
                "exp_avg": torch.as_tensor(arrays[f"o_{index}_exp_avg"]),
                "exp_avg_sq": torch.as_tensor(arrays[f"o_{index}_exp_avg_sq"]),
            }
        policy.optimizer.load_state_dict(saved)
        best = {name[2:]: array for name, array in arrays.items() if name.startswith("b_")}
        self._best = from_arrays(*self.names, best)
        self.model.num_timesteps = int(str(manifest["frames"]))
        self.advance()
        self.model._n_updates = int(str(manifest["n_updates"]))
        pairs: Any = manifest["scores"]
        self.scores = [(int(frames), float(score)) for frames, score in pairs]

    def _head(self) -> dict[str, Any]:
        return {
            "kind": CHECKPOINT_KIND,
            "schema": 1,
            "feature_names": list(self.names[0]),
            "action_ids": list(self.names[1]),
            "settings": asdict(self.settings),
        }


class _Each(BaseCallback):  # type: ignore[misc]  # stable-baselines3 is optional
    """After each rollout: reports the frames, and lets the entropy bonus fall."""

    def __init__(self, run: _Run, on_frames: Callable[[int], None] | None) -> None:
        super().__init__()
        self.run = run
        self.on_frames = on_frames

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self.run.advance()
        if self.on_frames is not None:
            self.on_frames(self.run.frames)


def _scaling(
    vec: MaskedVecEnv, n_features: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and 1 / deviation of each feature under random allowed actions, fixed from then on."""
    rng = np.random.default_rng(seed)
    vec.seed(seed)
    observation, seen = vec.reset(), []
    told = observation.shape[1] - vec.n_told
    for _ in range(SCALING_STEPS):
        seen.append(np.delete(observation, np.s_[n_features:told], axis=1))
        mask = observation[:, n_features:told]
        observation, *_ = vec.step((rng.random(mask.shape) * mask).argmax(1))
    rows = np.concatenate(seen).astype(np.float64)
    deviation = rows.std(0)
    # What never moved in the sample might later: it is left as it is.
    return rows.mean(0), 1.0 / np.where(deviation > 1e-3, deviation, 1.0)


def _key(prefix: str, name: str) -> str:
    return f"{prefix}_{name.replace('.', '_')}"


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(path.suffix + ".new")
    beside.write_bytes(data)
    beside.replace(path)

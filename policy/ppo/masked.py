"""stable-baselines3's actor and critic with fixed scaling and masked actions.

Needs the extra `train`. Behind the features, observations carry their mask, and then what only the
critic is told; see `policy.ppo.vec_env`. What is trained here is exported to `policy.ppo.network`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from policy.ppo.installed import require_train
from policy.ppo.network import CLIP, LAYERS

require_train()

import torch  # noqa: E402  # after what explains its absence
from stable_baselines3.common.policies import ActorCriticPolicy  # noqa: E402
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor  # noqa: E402
from torch import nn  # noqa: E402

if TYPE_CHECKING:
    from policy.ppo.network import Network

MASKED = torch.finfo(torch.float32).min
"""Its exponential is exactly 0, and unlike infinity it has gradients."""


class Scaled(BaseFeaturesExtractor):  # type: ignore[misc]  # stable-baselines3 is optional
    """The scaled features and what the critic is told, without the mask.

    Args:
        observation_space: Of the environment, everything included.
        mean, scale: Fixed before training, (n_features + n_told,).
        n_features: What the actor sees.
    """

    def __init__(
        self,
        observation_space: Any,
        mean: npt.NDArray[Any],
        scale: npt.NDArray[Any],
        n_features: int,
    ) -> None:
        super().__init__(observation_space, features_dim=len(mean))
        self.n_features, self.n_told = n_features, len(mean) - n_features
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(n, n_features + n_told)."""
        seen = observations[:, : self.n_features]
        if self.n_told:
            seen = torch.cat([seen, observations[:, -self.n_told :]], dim=1)
        return ((seen - self.mean) * self.scale).clamp(-CLIP, CLIP)


class Apart(nn.Module):  # type: ignore[misc]  # torch is optional
    """Two tanh layers for the actor and two for the critic, who may be told more.

    Args:
        n_features: What the actor sees.
        n_told: What the critic sees beside it.
        width: Of each layer.
    """

    def __init__(self, n_features: int, n_told: int, width: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.latent_dim_pi = self.latent_dim_vf = width
        self.policy_net = hidden(n_features, width)
        self.value_net = hidden(n_features + n_told, width)

    def forward(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Both."""
        return self.forward_actor(seen), self.forward_critic(seen)

    def forward_actor(self, seen: torch.Tensor) -> torch.Tensor:
        """(n, width)."""
        return self.policy_net(seen[:, : self.n_features])

    def forward_critic(self, seen: torch.Tensor) -> torch.Tensor:
        """(n, width)."""
        return self.value_net(seen)


def hidden(n_inputs: int, width: int) -> Any:
    """The hidden layers of one of the two."""
    return nn.Sequential(nn.Linear(n_inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())


class MaskedPolicy(ActorCriticPolicy):  # type: ignore[misc]  # stable-baselines3 is optional
    """Actor and critic ``Apart``, and no probability where masked."""

    def _build_mlp_extractor(self) -> None:
        extractor, width = self.features_extractor, self.net_arch[0]
        self.mlp_extractor = Apart(extractor.n_features, extractor.n_told, width)

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Actions, values and log-probabilities of the actions."""
        latent_pi, latent_vf = self.mlp_extractor(self.extract_features(obs))
        log_p = self._log_probabilities(latent_pi, obs)
        drawn = torch.multinomial(log_p.exp(), 1).squeeze(1)
        actions = log_p.argmax(1) if deterministic else drawn
        chosen = log_p.gather(1, actions[:, None]).squeeze(1)
        return actions, self.value_net(latent_vf), chosen

    def evaluate_actions(
        self, obs: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, log-probabilities of the actions, and entropy."""
        latent_pi, latent_vf = self.mlp_extractor(self.extract_features(obs))
        log_p = self._log_probabilities(latent_pi, obs)
        chosen = log_p.gather(1, actions.long()[:, None]).squeeze(1)
        entropy = -(log_p.exp() * log_p).sum(1)
        return self.value_net(latent_vf), chosen, entropy

    def get_distribution(self, obs: torch.Tensor) -> Any:
        """The masked distribution."""
        latent = self.mlp_extractor.forward_actor(self.extract_features(obs))
        return self.action_dist.proba_distribution(
            action_logits=self._log_probabilities(latent, obs)
        )

    def _log_probabilities(self, latent: torch.Tensor, obs: torch.Tensor) -> torch.Tensor:
        logits = self.action_net(latent)
        first = self.features_extractor.n_features
        mask = obs[:, first : first + logits.shape[1]] > 0.5
        masked = torch.where(mask, logits, torch.full_like(logits, MASKED))
        # Of a masked action it is the lowest number, whose product with p = 0 is 0, not NaN.
        return torch.log_softmax(masked, 1).clamp(min=MASKED)


def export(
    policy: MaskedPolicy,
    feature_names: tuple[str, ...],
    action_ids: tuple[str, ...],
    *,
    critic: Any = None,
    reward_unit: float = 1.0,
) -> Network:
    """The trained policy as plain arrays.

    Args:
        policy: Trained.
        feature_names: Of what the actor sees.
        action_ids: Of its actions.
        critic: Instead of the policy's own: hidden layers and a last one, on the features alone.
        reward_unit: What a reward of 1 was in training; the exported value is in rewards.
    """
    from policy.ppo.network import Network  # noqa: PLC0415  # only here is it built

    actor, n = policy.mlp_extractor.policy_net, len(feature_names)
    judge, last = critic or (policy.mlp_extractor.value_net, policy.value_net)
    layers = (actor[0], actor[2], policy.action_net, judge[0], judge[2], last)
    weights = {name: _array(layer.weight) for name, layer in zip(LAYERS, layers, strict=True)}
    biases = {name: _array(layer.bias) for name, layer in zip(LAYERS, layers, strict=True)}
    for last_of in (weights, biases):
        last_of["value"] *= np.float32(reward_unit)
    extractor = policy.features_extractor
    mean, scale = _array(extractor.mean)[:n], _array(extractor.scale)[:n]
    return Network(feature_names, action_ids, mean, scale, weights, biases)


def public_critic(policy: MaskedPolicy, observations: torch.Tensor, n_steps: int = 300) -> Any:
    """A critic on the features alone, taught by one that was told more.

    Args:
        policy: Trained.
        observations: What it met, (n, n_columns).
        n_steps: Of Adam, each over a part of the observations.

    Returns:
        Hidden layers and a last one, for ``export``.
    """
    n_features, width = policy.features_extractor.n_features, policy.net_arch[0]
    layers, last = hidden(n_features, width), nn.Linear(width, 1)
    with torch.no_grad():
        targets = policy.predict_values(observations)
        seen = policy.extract_features(observations)[:, :n_features]
    middle, spread = targets.mean(), targets.std() + 1e-8
    optimizer = torch.optim.Adam([*layers.parameters(), *last.parameters()], lr=3e-3)
    for _ in range(n_steps):
        rows = torch.randint(len(seen), (1_024,))
        loss = (last(layers(seen[rows])) - (targets[rows] - middle) / spread).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        last.weight *= spread
        last.bias.copy_(last.bias * spread + middle)
    return layers, last


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().cpu().numpy().astype(np.float32)
    return array.copy()

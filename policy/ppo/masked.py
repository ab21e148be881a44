"""stable-baselines3's actor and critic with fixed scaling and masked actions.

Needs the extra `train`. Observations carry their mask as the last columns; see
`policy.ppo.vec_env`. What is trained here is exported to `policy.ppo.network`.
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

if TYPE_CHECKING:
    from policy.ppo.network import Network

MASKED = torch.finfo(torch.float32).min
"""Its exponential is exactly 0, and unlike infinity it has gradients."""


class Scaled(BaseFeaturesExtractor):  # type: ignore[misc]  # stable-baselines3 is optional
    """The scaled features, without the mask.

    Args:
        observation_space: Of the environment, mask included.
        mean, scale: Fixed before training, (n_features,).
    """

    def __init__(
        self, observation_space: Any, mean: npt.NDArray[Any], scale: npt.NDArray[Any]
    ) -> None:
        super().__init__(observation_space, features_dim=len(mean))
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(n, n_features)."""
        features = observations[:, : len(self.mean)]
        return ((features - self.mean) * self.scale).clamp(-CLIP, CLIP)


class MaskedPolicy(ActorCriticPolicy):  # type: ignore[misc]  # stable-baselines3 is optional
    """Two tanh layers for the actor, two for the critic, and no probability where masked."""

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
        mask = obs[:, -logits.shape[1] :] > 0.5
        masked = torch.where(mask, logits, torch.full_like(logits, MASKED))
        # Of a masked action it is the lowest number, whose product with p = 0 is 0, not NaN.
        return torch.log_softmax(masked, 1).clamp(min=MASKED)


def export(
    policy: MaskedPolicy, feature_names: tuple[str, ...], action_ids: tuple[str, ...]
) -> Network:
    """The trained policy as plain arrays."""
    from policy.ppo.network import Network  # noqa: PLC0415  # only here is it built

    hidden, critic = policy.mlp_extractor.policy_net, policy.mlp_extractor.value_net
    layers = (hidden[0], hidden[2], policy.action_net, critic[0], critic[2], policy.value_net)
    extractor = policy.features_extractor
    return Network(
        feature_names,
        action_ids,
        _array(extractor.mean),
        _array(extractor.scale),
        {name: _array(layer.weight) for name, layer in zip(LAYERS, layers, strict=True)},
        {name: _array(layer.bias) for name, layer in zip(LAYERS, layers, strict=True)},
    )


def _array(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().cpu().numpy().astype(np.float32)
    return array.copy()

"""How to train: numbers of PPO that check themselves."""

from __future__ import annotations

from dataclasses import dataclass

from policy.bounds import parameter, whole_parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Hyperparameters. The defaults suit some hundred shoppers at once on a processor.

    Args:
        frames: Environment steps altogether.
        n_steps: Steps of each slot between two updates.
        batch_size: Of a minibatch. Large ones keep matrix products, not Python, the work.
        epochs: Passes over what was collected, per update.
        learning_rate: Of Adam, falling to a tenth in a straight line.
        gamma: Discount a step; 0 learns what a bandit learns.
        gae_lambda: Of generalised advantage estimation.
        clip_range: Of the probability ratio.
        entropy: Weight of the entropy bonus, falling to nothing in a straight line.
        value_weight: Weight of the critic's loss.
        idle: Share of decisions in which the untrained policy takes the first action, which should
            be to do nothing; None for no more than any other. Where most contacts are not worth
            their cost, there is less to unlearn.
        reward_unit: What counts as a reward of 1. The critic learns best when the discounted reward
            to come is of the order of 1 in it.
        width: Of the two hidden layers.
        seed: Of everything random.
        checkpoint_frames: What is trained between two checkpoints. At each, the luck is drawn
            anew from the seed, so that a run that was killed and resumed gives the same bits.

    Raises:
        ParameterError: A number outside of its range.

    References:
        Schulman, Wolski, Dhariwal, Radford, Klimov. Proximal Policy Optimization Algorithms.
        arXiv 1707.06347, 2017.
    """

    frames: int = 1_000_000
    n_steps: int = 64
    batch_size: int = 4_096
    epochs: int = 10
    learning_rate: float = 2e-3
    gamma: float = 0.99
    gae_lambda: float = 0.9
    clip_range: float = 0.2
    entropy: float = 0.003
    value_weight: float = 0.5
    idle: float | None = None
    reward_unit: float = 1.0
    width: int = 64
    seed: int = 0
    checkpoint_frames: int = 500_000

    def __post_init__(self) -> None:
        whole_parameter("frames", self.frames, 1, 10**12)
        whole_parameter("n_steps", self.n_steps, 1, 10**6)
        whole_parameter("batch_size", self.batch_size, 2, 10**8)
        whole_parameter("epochs", self.epochs, 1, 1_000)
        whole_parameter("width", self.width, 1, 4_096)
        whole_parameter("seed", self.seed, 0, 2**31 - 1)
        whole_parameter("checkpoint_frames", self.checkpoint_frames, 1, 10**12)
        parameter("learning_rate", self.learning_rate, 0.0, 1.0)
        parameter("gamma", self.gamma, 0.0, 1.0)
        parameter("gae_lambda", self.gae_lambda, 0.0, 1.0)
        parameter("clip_range", self.clip_range, 0.0, 1.0)
        parameter("entropy", self.entropy, 0.0, 10.0)
        parameter("value_weight", self.value_weight, 0.0, 100.0)
        if self.idle is not None:
            parameter("idle", self.idle, 0.0, 1.0, open_high=True)
        parameter("reward_unit", self.reward_unit, 1e-9, 1e9)

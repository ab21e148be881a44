"""What a policy can be expected to earn: a life's reward with most of its luck taken out.

Beside `simulator.experiment.life`, which says what it earned. Tells policies apart on a tenth of
the shoppers; what is quoted to people is measured in lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulator.experiment.life import draw_each
from simulator.lesson_env import LessonVectorEnv
from simulator.vector_env import CENTS_A_REWARD

if TYPE_CHECKING:
    from simulator.dynamics.world import World
    from simulator.experiment.deciders import Decider


def prospects(
    world: World, decider: Decider, n_shoppers: int, *, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Expected returns in cents over the world's horizon, (n_shoppers,).

    Args:
        world: Where they live.
        decider: What decides; it is not told what came of it.
        n_shoppers: How many.
        seed: Of the luck that is left.

    Example:
        >>> from simulator.dynamics.world import World
        >>> from simulator.experiment.deciders import Fixed
        >>> prospects(World(horizon_days=5), Fixed(np.eye(12)[0]), 10).shape
        (10,)
    """
    envs = LessonVectorEnv(n_shoppers, world=world, staggered=False)
    rng = np.random.default_rng(seed)
    seen, info = envs.reset(seed=seed)
    total = np.zeros(n_shoppers)
    for _ in range(world.horizon_days):
        distribution = decider.probabilities(seen, info["action_mask"])
        seen, rewards, _, _, info = envs.step(draw_each(distribution, rng.random(n_shoppers)))
        total += rewards
    return total * CENTS_A_REWARD

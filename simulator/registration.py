"""The room's environments under their ids: importing this module registers them.

import gymnasium, simulator.registration
gymnasium.make("segue/Shopper-v0"); gymnasium.make_vec("segue/Shopper-v0", num_envs=4096)
"""

from __future__ import annotations

from typing import Final

import gymnasium

SHOPPER: Final = "segue/Shopper-v0"

if SHOPPER not in gymnasium.registry:
    gymnasium.register(
        SHOPPER,
        entry_point="simulator.env:ShopperEnv",
        vector_entry_point="simulator.vector_env:ShopperVectorEnv",
    )

from __future__ import annotations

from typing import Any

import pytest

from policy.errors import ParameterError
from policy.ppo.settings import TrainingSettings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 0}, "frames is 0: must be a whole number"),
        ({"gamma": 1.5}, "gamma is 1.5: must be a number of at least 0 and at most 1"),
        ({"gamma": float("nan")}, "gamma is nan"),
        ({"batch_size": 1}, "batch_size is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"reward_unit": 0.0}, "reward_unit is 0"),
        ({"idle": 1.0}, "idle is 1.0: must be a number of at least 0 and below 1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        TrainingSettings(**change)

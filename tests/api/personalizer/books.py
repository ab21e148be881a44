"""A service that Personalizer's clients can talk to, and what they say."""

from typing import Any

from tests.api.service import configuration, placement

KEY = "segue_personalizer"
CONTEXT = [{"time": "morning"}, {"device": {"kind": "mobile", "screen": [320.0, 640.0]}}]
ACTIONS = [
    {"id": "pasta", "features": [{"taste": "salty"}, {"nutrition": {"kcal": 480}}]},
    {"id": "juice", "features": [{"taste": "sweet", "cold": True}]},
    {"id": "salad", "features": [{"taste": "salty", "leaves": ["rocket", "kale"]}]},
]


def drop_in(**changes: Any) -> dict[str, Any]:
    """A configuration with `[personalizer]`; keywords change its placement."""
    changed = {
        "name": "rank",
        "hashed_features": 16,
        "context": {"time": ["morning", "evening"]},
        "reward": {"activation": "shown", "window_minutes": 60, "default": 0.0},
        **changes,
    }
    return configuration(
        placements=[placement(**changed)],
        personalizer={"placement": "rank", "visitor": "customer"},
    )

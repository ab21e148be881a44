"""The demo's `segue.toml`: twenty content tiles and one placement to choose among them.

Where it stands: tiles of the data in, the configuration that the demo's server starts with out.
"""

import json
from collections.abc import Sequence

PLACEMENT = "home_tile"
N_SEGMENTS = 6

_HEAD = """\
# Written by `segue demo`: one tile for each of the categories in most baskets.

[service]
host = "127.0.0.1"
port = {port}
database = "segue.db"
clock = "replay"            # the time is that of the baskets, not of today
deadline_ms = 10000         # no page waits here: rather a late decision than the default

[segments]
n_segments = {n_segments}
min_visitors = {n_segments}
"""

_ACTION = """
[[actions]]
id = {name}
kind = "content"
category = {name}
payload = {{ title = {title} }}
"""

_PLACEMENT = """
[[placements]]
name = "{placement}"
actions = {names}
default = {default}

[placements.policy]
kind = "linucb"
alpha = 0.3
floor = 0.002               # every tile keeps a chance, and its probability is logged
prior_action = 100000.0     # a tile is mostly what its category's affinity says ...
prior_intercept = 10000.0   # ... and little of its own

[placements.reward]
event = "Order Completed"
match = "category"          # 1 when the order holds a product of the tile's category, else 0
window_minutes = 1440
"""


def render_configuration(tiles: Sequence[str], port: int) -> str:
    """The text of a `segue.toml` that shows `tiles`, the first one by default.

    Args:
        tiles: Category of each tile.
        port: Port to listen on.
    """
    actions = [_ACTION.format(name=_text(tile), title=_text(tile.capitalize())) for tile in tiles]
    placement = _PLACEMENT.format(
        placement=PLACEMENT,
        names="[\n" + "".join(f"  {_text(tile)},\n" for tile in tiles) + "]",
        default=_text(tiles[0]),
    )
    return _HEAD.format(port=port, n_segments=N_SEGMENTS) + "".join(actions) + placement


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(value)

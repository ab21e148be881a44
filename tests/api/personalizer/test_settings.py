"""`[personalizer]` names a placement that can do what clients ask for."""

from pathlib import Path
from typing import Any

import pytest

from api.configuration import parse_settings
from api.settings import SettingsError
from tests.api.personalizer.books import drop_in

SHOWN = {"activation": "shown"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hashed_features": 0}, "needs hashed_features"),
        ({"reward": {}}, 'needs reward.activation = "shown"'),
        ({"name": "ranks"}, "must be one of [[placements]]; did you mean 'ranks'?"),
        ({"hashed_features": 129}, "placements[0].hashed_features is 129"),
    ],
)
def test_a_placement_that_lacks_something_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(drop_in(**changes))
    assert message in str(caught.value)


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    configured = drop_in()
    configured["personalizer"]["visitors"] = "id"
    with pytest.raises(SettingsError, match="did you mean 'visitor'"):
        parse_settings(configured)

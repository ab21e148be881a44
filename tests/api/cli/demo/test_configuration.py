from pathlib import Path

from api.cli.demo.configuration import PLACEMENT, render_configuration
from api.configuration import load_settings


def test_the_written_configuration_is_one_that_the_service_starts_with(tmp_path: Path) -> None:
    path = tmp_path / "segue.toml"
    path.write_text(render_configuration(['A "quoted" \\ name', "SOUP"], port=1234))
    settings = load_settings(path)
    assert settings.service.port == 1234
    assert settings.service.clock == "replay"
    assert [action.category for action in settings.actions] == ['A "quoted" \\ name', "SOUP"]
    (placement,) = settings.placements
    assert (placement.name, placement.default) == (PLACEMENT, 'A "quoted" \\ name')
    assert placement.reward.match == "category"

"""`segue segments preview`: who would belong, on the store of a real engine."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from tests.api.cli.segments.shop import N_VISITORS
from tests.api.service import configuration, write_configuration


def preview(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["segments", "preview", *map(str, arguments)])


def said(*arguments: object) -> str:
    result = preview(*arguments)
    assert result.exit_code == 0, result.stderr or result.exception
    return " ".join(result.stdout.split())


def test_members_are_counted_with_what_they_spent_and_share(store: Path) -> None:
    """One of thirty who bought once has since bought as often as the thirty who always did."""
    found = said("profile.orders >= 20", "--source", store)
    assert f"made by hand, of {N_VISITORS} visitors" in found
    assert "this condition │ 31 │ 51.7% │ 0 │" in found
    assert "s1 31 (100%)" in found


def test_who_is_asked_about_nothing_known_is_unknown_and_no_member(store: Path) -> None:
    assert "│ 0 │ 0.0% │ 0 │" in said("segment == 'elsewhere'", "--source", store)


def test_those_of_the_configuration_are_beside(store: Path, tmp_path: Path) -> None:
    regulars = {"id": "regulars", "when": "profile.orders >= 20"}
    settings = configuration(service={"database": str(store)}, segments={"hand_made": [regulars]})
    path = write_configuration(tmp_path, settings)
    assert "regulars │ 31 │" in said("--config", path)
    both = said("profile.orders < 20 or profile.revenue_cents > 300000", "--config", path)
    assert "regulars" in both.split("this condition")[1].split("regulars │")[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("profile.ordrs > 1",), "did you mean 'profile.orders'"),
        (("profile.orders >",), "at character 17: it ends where"),
        ((), "there is no [[segments.hand_made]]: give a condition"),
    ],
)
def test_what_cannot_be_is_said(store: Path, arguments: tuple[str, ...], told: str) -> None:
    result = preview(*arguments, "--source", store)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())


def test_a_file_of_features_is_refused(tmp_path: Path) -> None:
    result = preview("profile.orders > 1", "--source", tmp_path / "visitors.parquet")
    assert result.exit_code == 2
    assert "conditions are asked of a store" in " ".join(result.stderr.split())

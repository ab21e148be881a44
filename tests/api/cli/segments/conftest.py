"""One shop for all tests of `segue segments`, which only read it."""

from pathlib import Path

import pytest

from tests.api.cli.segments.shop import made


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("shop"))


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are as wide as they like, wherever the tests run."""
    monkeypatch.setattr("api.cli.segments.options.console.width", 250)

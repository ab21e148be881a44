"""One running service for the tests that leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.service import configuration, running_service


@pytest.fixture(scope="session")
def service_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="session")
def service(service_folder: Path) -> Iterator[httpx.Client]:
    """A client of a service without keys; tests keep to visitors of their own."""
    with running_service(service_folder, configuration()) as client:
        yield client

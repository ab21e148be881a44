"""Options; properties have no deadline, since no test asserts on wall-clock time."""

import pytest
from hypothesis import settings

settings.register_profile("segue", deadline=None)
settings.load_profile("segue")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=6, metavar="N", help="kill the service so often under load"
    )

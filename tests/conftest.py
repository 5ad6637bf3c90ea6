"""The option that all golden tests share."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what golden tests expect; then review"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A check that writes its own expectations proves nothing.
    if config.getoption("--update-golden") and os.environ.get("CI"):
        raise pytest.UsageError("--update-golden is refused where CI is set")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten in this run."""
    return bool(request.config.getoption("--update-golden"))

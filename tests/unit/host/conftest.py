from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.archive import build_agent
from tests.standin.build import build

from .agent import Agent


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "host.pyz"
    path.write_bytes(build_agent())
    return path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def agent(pyz: Path, library: Path, tmp_path: Path) -> Agent:
    return Agent(pyz, library, tmp_path)

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .agent import Agent
from .sampling import seed_of


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: thousands of fsyncs prove nothing here."""
    memory = "/dev/shm"
    where = memory if os.access(memory, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(dir=where, prefix="provision-torture-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with Agent.at_work(tmp_path_factory.mktemp("agent")) as one:
        yield one


@pytest.fixture
def seed(testrun_uid: str) -> str:
    return seed_of(testrun_uid)

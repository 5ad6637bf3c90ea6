"""A rollback, a removal or the recovery of a killed run is killed itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from .agent import Agent
from .sampling import kills_or, violations
from .scenarios import BACKWARD, Scenario
from .strace import STRACE
from .trials import Bench

pytestmark = [
    pytest.mark.skipif(not STRACE, reason="strace is not installed"),
    pytest.mark.timeout(3600),
]
FEW = 5


@pytest.mark.parametrize("scenario", BACKWARD, ids=lambda one: one.name)
def test_all_old_or_all_new(scenario: Scenario, agent: Agent, folder: Path, seed: str) -> None:
    kills = kills_or(FEW)
    died, found = violations(Bench(agent, scenario, folder), seed, kills)
    assert not found, "\n".join(found)
    assert died == kills, f"seed {seed}: of {kills} runs only {died} were killed"

"""An apply is killed at calls drawn at random; what follows ends in all old or all new."""

from __future__ import annotations

from pathlib import Path

import pytest

from .agent import Agent
from .sampling import kills_or, violations
from .scenarios import FORWARD, Scenario
from .strace import STRACE
from .trees import comparable, differences, tree
from .trials import Bench

pytestmark = [
    pytest.mark.skipif(not STRACE, reason="strace is not installed"),
    pytest.mark.timeout(3600),
]
FEW = 4


@pytest.mark.parametrize("scenario", FORWARD, ids=lambda one: one.name)
def test_all_old_or_all_new(scenario: Scenario, agent: Agent, folder: Path, seed: str) -> None:
    kills = kills_or(FEW)
    died, found = violations(Bench(agent, scenario, folder), seed, kills)
    assert not found, "\n".join(found)
    assert died == kills, f"seed {seed}: of {kills} runs only {died} were killed"


def test_a_kill_alone_leaves_a_mix(agent: Agent, folder: Path) -> None:
    """The oracle can tell: behind the first file of ours the tree is neither old nor new."""
    bench = Bench(agent, FORWARD[1], folder)
    behind = next(n for n, one in enumerate(bench.points) if "/etc/" in one.what) + 8
    assert agent.killed(bench.scenario.operation, bench.base, bench.points[behind]).killed
    now = comparable(tree(bench.base))
    assert differences(now, bench.old) and differences(now, bench.new)


def test_a_checkpoints_name_is_seen(agent: Agent, folder: Path) -> None:
    """The oracle can tell: old and new differ by the name that guards the old one."""
    bench = Bench(agent, next(one for one in FORWARD if one.name == "checkpoint"), folder)
    kept = "/var/lib/provision/generations/1.json"
    assert b'"checkpoint": null' in bench.old[kept].content
    assert b'"checkpoint": "good"' in bench.new[kept].content

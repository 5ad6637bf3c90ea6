"""Which kills a test run makes: drawn anew each time, and the same again for the same seed."""

from __future__ import annotations

import os
import random

from .scenarios import Scenario
from .trials import Bench

SEED = "PROVISION_TORTURE_SEED"
KILLS = "PROVISION_TORTURE_KILLS"  # of each scenario


def seed_of(run: str) -> str:
    """The seed that was given, or one for this run; `run` is alike in all its processes."""
    return os.environ.get(SEED) or str(int(run[:8], 16))


def kills_or(few: int) -> int:
    """How many kills each scenario has."""
    return int(os.environ.get(KILLS, few))


def numbers_of(seed: str, scenario: Scenario) -> random.Random:
    """What is drawn for one scenario, whichever others run beside it."""
    return random.Random(f"{seed}/{scenario.name}")


def violations(bench: Bench, seed: str, kills: int) -> tuple[int, list[str]]:
    """Kill so often, each time something else follows; how many died, and what was wrong then.

    Every point comes once before one comes again.
    """
    numbers = numbers_of(seed, bench.scenario)
    died, found = 0, []
    points = list(bench.points)
    for number in range(kills):
        if number % len(points) == 0:
            numbers.shuffle(points)
        point = points[number % len(points)]
        following = numbers.choice(bench.scenario.following)
        result = bench.trial(point, following, numbers)
        died += result is not None
        where = f"{SEED}={seed}: {bench.scenario.name} killed at {point}, then {following}"
        found += [f"{where}:\n    {line}" for line in result or ()]
    return died, found

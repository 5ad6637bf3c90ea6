"""The test hosts as fixtures. A machine that cannot make them fails the tests, it skips none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import CHECKOUT
from .testbed import image
from .testbed.fleet import Fleet
from .testbed.vm import Vm

FLEET_HOSTS = 4
# Each file goes whole to one process: the longest must not be the last to begin.
LONGEST = (
    *("test_main_job.py", "test_power_loss.py", "test_two_nodes.py"),
    *("test_fleet.py", "test_load.py"),
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order within each stays."""
    turn = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda one: turn.get(one.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def testbed_cache() -> Path:
    """Where images and snapshots are kept; the image of the scripts as they are is in it."""
    if os.geteuid() != 0:
        pytest.fail("the system tests need root: namespaces, mounts, containers", pytrace=False)
    missing = image.missing_packages()
    if missing:
        pytest.fail(
            f"the system tests need packages that are not installed: {' '.join(missing)}\n"
            f"apt-get install --no-install-recommends {' '.join(missing)}",
            pytrace=False,
        )
    cache = image.cache_folder()
    image.build(cache)
    return cache


@pytest.fixture(scope="module")
def vm(testbed_cache: Path, request: pytest.FixtureRequest) -> Iterator[Vm]:
    """A machine with two NUMA nodes and four GPUs, of this module alone."""
    name = re.sub(r"\W+", "-", request.module.__name__.rsplit(".", 1)[-1])
    with Vm.clone(name, testbed_cache) as clone:
        yield clone


@pytest.fixture(scope="module")
def container(testbed_cache: Path) -> Iterator[Fleet]:
    """One container host with the product on it, of this module alone: a fleet of one."""
    with Fleet.up(1, testbed_cache) as fleet:
        fleet.install(CHECKOUT)
        yield fleet


@pytest.fixture(scope="module")
def fleet(testbed_cache: Path) -> Iterator[Fleet]:
    """Four container hosts, of this module alone."""
    with Fleet.up(FLEET_HOSTS, testbed_cache) as hosts:
        yield hosts

"""One container host for all rows, as long as all goes well: a row that fails gets it replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..machine import CHECKOUT
from ..testbed.fleet import Fleet
from .bed import Bed
from .fault import ATTRIBUTE, Fault


class Beds:
    """The host of the rows, and how to get another."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._stack = contextlib.ExitStack()
        self._bed: Bed | None = None
        self._failed = 0
        self._hopeless: AssertionError | None = None

    def take(self, failed: int) -> Bed:
        """The host as the row before left it. failed: how many tests have failed up to now."""
        if self._hopeless:
            raise self._hopeless
        if self._bed is None or failed > self._failed:
            self.down()
            self._failed = failed
            self._bed = self._up()
        return self._bed

    def _up(self) -> Bed:
        fleet = self._stack.enter_context(Fleet.up(1, self._cache))
        fleet.install(CHECKOUT)
        bed = Bed(fleet.hosts[0].shell)
        try:
            bed.prepare()
        except AssertionError as error:  # no other row gets any further
            self._hopeless = error
            raise
        return bed

    def stand(self, failed: int) -> None:
        """After the rows of a file, if all went well: nothing differs from the last good apply.

        Each row compares pictures; what those do not show, nginx's loaded upstreams for one, is
        found here.
        """
        if self._bed is not None and failed == self._failed:
            self._bed.verify()
            self._bed.stands()

    def down(self) -> None:
        self._stack.close()
        self._bed = None


@pytest.fixture(scope="package")
def beds(testbed_cache: Path) -> Iterator[Beds]:
    one = Beds(testbed_cache)
    yield one
    one.down()


@pytest.fixture(scope="module", autouse=True)
def stands_in_the_end(beds: Beds, request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    beds.stand(request.session.testsfailed)


@pytest.fixture
def bed(beds: Beds, request: pytest.FixtureRequest) -> Iterator[Bed]:
    """A host on which two instances answer and nothing is pending; it has to be left so."""
    one = beds.take(request.session.testsfailed)
    yield one
    one.nothing_left()
    one.no_fault_is_on()


@pytest.fixture
def code(request: pytest.FixtureRequest) -> int:
    """The exit code that the row of this test promises."""
    found = getattr(request.function, ATTRIBUTE)
    assert isinstance(found, Fault)
    return found.code

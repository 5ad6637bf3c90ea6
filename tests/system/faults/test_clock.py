"""The wall clock jumps, between two applies and in the middle of one.

A container may not set the clock: every program that is started meanwhile gets another one.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bed import Bed
from .fault import fault

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
YEAR = 365 * 86400
CONFIRMATION = "/var/lib/provision/confirm.json"
CONFIRM_SECONDS, TIMER = 10, "provision-unconfirmed"
ROLLBACK_SECONDS = 150  # at most, on a machine with much else to do
CLOCK, PRELOAD = "/opt/faults/clock", "/etc/ld.so.preload"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(source)],
        check=True,
        timeout=60,
    )
    return library


@pytest.fixture
def clock(bed: Bed, library: Path) -> Iterator[Bed]:
    bed.shell.put(library, "/opt/faults/clock.so")
    bed.run(f"echo 0 > {CLOCK}; chmod 755 /opt/faults; chmod 644 /opt/faults/*")
    bed.run(f"echo /opt/faults/clock.so > {PRELOAD}")
    now = int(bed.run("date +%s"))
    assert abs(int(bed.run(f"echo {YEAR} > {CLOCK}; date +%s")) - now - YEAR) < 60
    bed.run(f"echo 0 > {CLOCK}")
    yield bed
    bed.run(f"rm {PRELOAD}")


@fault("the clock jumps a year between two applies", 0)
def test_between(clock: Bed, code: int) -> None:
    clock.as_it_stands()
    for jump in (YEAR, -YEAR):
        clock.run(f"echo {jump} > {CLOCK}")
        before = clock.picture()
        found, said = clock.applied()
        assert found == code and "Nothing to change" in said, said
        clock.is_untouched(before)
        clock.verify()


@fault("the clock jumps a year during an apply", 0)
def test_during(clock: Bed, code: int) -> None:
    for start, jump in ((0, YEAR), (YEAR, 0)):
        clock.run(f"echo {start} > {CLOCK}")
        mark = clock.want()
        with clock.while_mail_starts(f"echo {jump} > {CLOCK}"):
            found, said = clock.applied()
        assert found == code, said
        clock.is_green(mark)
    clock.run(f"echo 0 > {CLOCK}")


@fault("the clock jumps a year while an apply waits for `provision confirm`", 0)
def test_while_unconfirmed(clock: Bed, code: int) -> None:
    """It is rolled back after the seconds that were asked for, however the clock is set."""
    old = clock.as_it_stands()
    before = clock.picture()
    clock.want()
    found, said = clock.applied(f"--confirm {CONFIRM_SECONDS}")
    began = time.monotonic()
    assert found == code and "claims hold" in said, said
    clock.run(f"echo {YEAR} > {CLOCK}; sleep 2; echo {-YEAR} > {CLOCK}")
    while clock.run(f"ls {CONFIRMATION}", check=False):
        assert time.monotonic() - began < ROLLBACK_SECONDS, "nobody rolled it back"
        time.sleep(0.3)
    assert _waited(clock) >= CONFIRM_SECONDS
    clock.is_green(old)
    clock.run(f"echo 0 > {CLOCK}")
    clock.verify()
    assert clock.picture().names - before.names <= _generations(clock)


def _waited(bed: Bed) -> float:
    """From the start of the timer to that of its service, by systemd's own monotonic clock."""
    units = " + ".join(f"UNIT={TIMER}.{kind}" for kind in ("timer", "service"))
    said = bed.run(f"journalctl -q -o short-monotonic {units}")
    found = re.findall(rf"(?m)^\[ *([\d.]+)\].*: (Started|Starting) {TIMER}", said)
    at = {word: float(seconds) for seconds, word in found}
    return at["Starting"] - at["Started"]


def _generations(bed: Bed) -> set[str]:
    """What the history of an apply and a rollback adds."""
    return {one for one in bed.picture().names if "/var/lib/provision/generations/" in one}

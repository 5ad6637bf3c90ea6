"""Faults of the engine itself, made by a server that misbehaves on request."""

from __future__ import annotations

import pytest

from .bed import FAULTY, MAIL, RUN, Bed
from .fault import fault

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@fault("the engine answers `/health` and gives no token", 5)
def test_no_token(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "no-token"})
    before = bed.picture()
    bed.fails(code, MAIL, "gives no token")
    bed.is_back(before)
    bed.stands()


@fault("the engine never gets ready", 5)
def test_never_ready(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "never"})
    before = bed.picture()
    with bed.mails_unit_has("[Service]", "TimeoutStartSec=4"):
        bed.fails(code, MAIL, "timeout")
    bed.is_back(before)
    bed.stands()


@fault("the engine dies right after its first token", 5)
def test_dies_after_its_first_token(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "one-token"})
    before = bed.picture()
    bed.fails(code, MAIL)
    bed.is_back(before)
    bed.stands()


@fault("the engine dies five seconds after its start", 5)
def test_dies_after_five_seconds(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "five-seconds"})
    before = bed.picture()
    bed.fails(code, MAIL, "went down", verb="apply /root/host.yaml --yes")
    bed.is_back(before)
    bed.stands()


@fault("the engine dies when the apply is over", 0)
def test_dies_later(bed: Bed, code: int) -> None:
    """systemd starts it again; meanwhile status and verify tell, and an apply mends it at once."""
    mark = bed.want(binary=FAULTY, env={"FAULT": "dies"})
    bed.heals(mark)
    dead = bed.pid(MAIL)
    bed.run(f"touch {RUN}/die; while test -d /proc/{dead}; do sleep 0.1; done; rm {RUN}/die")
    for verb in ("verify", "status"):
        bed.fails(7, "mail.0", verb=verb)
    found, said = bed.applied()
    assert found == code, said
    bed.is_green(mark)


@fault("the engine does not stop: it ignores SIGTERM", 0)
def test_hangs_in_stop(bed: Bed, code: int) -> None:
    bed.heals(bed.want(binary=FAULTY, env={"FAULT": "deaf"}))
    deaf = bed.pid(MAIL)
    mark = bed.want()
    with bed.mails_unit_has("[Service]", "TimeoutStopSec=2"):
        found, said = bed.applied()
        assert found == code, said
    assert bed.run(f"ls -d /proc/{deaf}", check=False) == ""
    bed.is_green(mark)


@fault("systemd is busy: another start takes long, units are read again all the time", 0)
def test_systemd_is_busy(bed: Bed, code: int) -> None:
    reloads = "for i in $(seq 100); do systemctl daemon-reload; done"
    mark = bed.want()
    with bed.mails_unit_has("[Unit]", "After=fault-slow.service"):
        bed.run(
            "systemd-run --quiet --no-block --unit=fault-slow -p Type=oneshot sleep 4;"
            f" systemd-run --quiet --unit=fault-reloads sh -c '{reloads}';"
            " systemctl list-jobs --no-legend | grep -q fault-slow"
        )
        found, said = bed.applied()
        assert found == code, said
    bed.run("systemctl stop fault-reloads fault-slow", check=False)
    bed.is_green(mark)

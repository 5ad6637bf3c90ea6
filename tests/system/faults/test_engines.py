"""Faults of the engine itself, made by a server that misbehaves on request."""

from __future__ import annotations

from typing import Any

import pytest

from .bed import FAULTY, Bed
from .fault import fault
from .traces import DROP_IN, MAIL, RUN

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
DEAF: dict[str, Any] = {"binary": FAULTY, "env": {"FAULT": "deaf"}}


@fault("the engine answers `/health` and gives no token", 5)
def test_no_token(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "no-token"})
    before = bed.picture()
    bed.fails(code, MAIL, "gives no token")
    bed.is_back(before)


@fault("the engine never gets ready", 5)
def test_never_ready(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "never"})
    before = bed.picture()
    # Of this start only: the old one may take its time on a busy machine.
    gone = f"ExecStartPre=+/bin/rm {DROP_IN}"
    with bed.mails_unit_has("[Service]", "TimeoutStartSec=2", gone):
        bed.fails(code, MAIL, "timeout")
    bed.is_back(before)


@fault("the engine dies right after its first token", 5)
def test_dies_after_its_first_token(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "one-token"})
    before = bed.picture()
    bed.fails(code, MAIL)
    bed.is_back(before)


@fault("the engine dies five seconds after its start", 5)
def test_dies_after_five_seconds(bed: Bed, code: int) -> None:
    bed.want(binary=FAULTY, env={"FAULT": "five-seconds"})
    before = bed.picture()
    bed.fails(code, MAIL, "went down", verb="apply /root/host.yaml --yes")
    bed.is_back(before)


@fault("one of several instances that start at the same time fails", 5)
def test_one_of_several_fails(bed: Bed, code: int) -> None:
    dumb = {"binary": FAULTY, "env": {"FAULT": "no-token"}}
    bed.want(others={"first": {}, "dumb": dumb, "last": {}})
    before = bed.picture()
    bed.fails(code, "llama-server@dumb.0.service", "gives no token")
    journal = bed.run("journalctl -q -o cat --since -5min -u 'llama-server@last.0.service'")
    assert "Starting llama-server@last.0" in journal, "it did not wait for the one that fails"
    bed.is_back(before, restarted=())


@fault("the engine dies when the apply is over", 0)
def test_dies_later(bed: Bed, code: int) -> None:
    """systemd starts it again; meanwhile status and verify tell, and an apply mends it at once."""
    mark = bed.want(**DEAF)
    bed.heals(mark)
    dead = bed.pid(MAIL)
    # While the file is there each new start dies as well, so this is not a matter of time.
    gone = f"for i in $(seq 300); do test -d /proc/{dead} || exit 0; sleep 0.1; done; exit 1"
    bed.run(f"touch {RUN}/die; {gone}")
    for verb in ("verify", "status"):
        bed.fails(7, "mail.0", verb=verb)
    bed.run(f"rm {RUN}/die")
    found, said = bed.applied()
    assert found == code, said
    bed.is_green(mark)


@fault("the engine does not stop: it ignores SIGTERM", 0)
def test_hangs_in_stop(bed: Bed, code: int) -> None:
    if bed.environment(MAIL).get("FAULT") != "deaf":  # as the row before leaves it
        bed.heals(bed.want(**DEAF))
    deaf = bed.pid(MAIL)
    mark = bed.want()
    with bed.mails_unit_has("[Service]", "TimeoutStopSec=1"):
        found, said = bed.applied()
        assert found == code, said
    assert bed.run(f"ls -d /proc/{deaf}", check=False) == ""
    bed.is_green(mark)


@fault("systemd is busy: another start takes long, units are read again all the time", 0)
def test_systemd_is_busy(bed: Bed, code: int) -> None:
    waits = f'systemctl list-jobs --no-legend | grep -q "{MAIL} .* waiting"'
    slow = (
        f"for i in $(seq 600); do {waits} && sleep 1 && touch {RUN}/slow && break; sleep 0.1; done"
    )
    reloads = "for i in $(seq 300); do systemctl daemon-reload; sleep 0.2; done"
    mark = bed.want()
    with bed.mails_unit_has("[Unit]", "After=fault-slow.service"):
        bed.run(
            f"systemd-run --quiet --no-block --unit=fault-slow -p Type=oneshot sh -c '{slow}';"
            f" systemd-run --quiet --unit=fault-reloads sh -c '{reloads}';"
            " systemctl list-jobs --no-legend | grep -q fault-slow"
        )
        found, said = bed.applied()
        bed.run("systemctl stop fault-reloads fault-slow", check=False)
        assert found == code, said
        bed.run(f"rm {RUN}/slow")  # which is there if mail was seen to wait
    bed.is_green(mark)

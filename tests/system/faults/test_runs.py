"""Faults of the run itself: two at once, ended in the middle, killed in the middle."""

from __future__ import annotations

import re

import pytest

from .bed import APPLY, FAULTY, Bed
from .fault import fault
from .traces import MAIL, RUN

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
# Mail's start waits, at most two minutes, until the test says go.
WAITS = f"touch {RUN}/waiting; for i in $(seq 1200); do test -e {RUN}/go && break; sleep 0.1; done"
IN_THE_MIDDLE = (
    f"provision {APPLY} > /root/out 2>&1 & run=$!;"
    f" for i in $(seq 900); do test -e {RUN}/waiting && break; sleep 0.1; done;"
)


@pytest.mark.parametrize("name", ["INT", "HUP"])
@fault("Ctrl-C, SIGTERM or a lost session (SIGHUP) in the middle", 5)
def test_ended_in_the_middle(bed: Bed, code: int, name: str) -> None:
    bed.want()
    before = bed.picture()
    with bed.while_mail_starts(WAITS):
        # A shell's background job ignores SIGINT; env gives it back.
        line = IN_THE_MIDDLE.replace("provision", "env --default-signal=INT provision", 1)
        said = bed.run(
            f"{line} kill -{name} $run; touch {RUN}/go; wait $run; echo code $?; cat /root/out"
        )
    assert f"code {code}\n" in said, said
    assert {"INT": "Ctrl-C"}.get(name, f"SIG{name}") in said, said
    bed.is_back(before)


@fault("Ctrl-C, SIGTERM or SIGHUP while an engine loads its model", 5)
def test_ended_while_an_engine_loads(bed: Bed, code: int) -> None:
    """With SIGTERM. The old one must not be waited for in the new one's start, still under way."""
    bed.want(binary=FAULTY, env={"FAULT": "never"})
    before = bed.picture()
    loads = f"systemctl show -p SubState --value {MAIL} | grep -q start-post"
    with bed.mails_unit_has("[Service]", "TimeoutStartSec=40"):
        said = bed.run(
            f"provision {APPLY} > /root/out 2>&1 & run=$!;"
            f" for i in $(seq 900); do {loads} && break; sleep 0.1; done;"
            " kill -TERM $run; wait $run; echo code $?; cat /root/out"
        )
    assert f"code {code}\n" in said and "SIGTERM" in said, said
    bed.is_back(before)


@fault("the run is killed (SIGKILL, power cut)", 137)
def test_killed_in_the_middle(bed: Bed, code: int) -> None:
    mark = bed.want()
    before = bed.picture()
    with bed.while_mail_starts(WAITS):
        said = bed.run(f"{IN_THE_MIDDLE} kill -KILL $run; touch {RUN}/go; wait $run; echo code $?")
        assert f"code {code}\n" in said, said
        recovered, said = bed.provision("recover")
    assert recovered == 0, said
    bed.is_back(before)
    bed.heals(mark)


@fault("the way back of an apply that nobody confirmed is killed", 0)
def test_way_back_of_the_unconfirmed_is_killed(bed: Bed, code: int) -> None:
    old = bed.as_it_stands()
    bed.want()
    found, said = bed.applied("--confirm 10")
    assert found == code, said
    service = "provision-unconfirmed.service"
    journal = "/var/lib/provision/journal.json"
    killed = bed.run(
        f"for i in $(seq 1200); do p=$(systemctl show -p MainPID --value {service});"
        f" if [ $p != 0 ] && [ -e {journal} ]; then kill -KILL $p && echo killed; break; fi;"
        " sleep 0.05; done"
    )
    assert killed == "killed\n"
    left = f"ls {journal} /var/lib/provision/confirm.json 2>/dev/null"
    bed.run(f'for i in $(seq 900); do test -z "$({left})" && exit 0; sleep 0.2; done; exit 1')
    bed.is_green(old)
    bed.verify()


@fault("a second run starts while one is under way", 4)
def test_two_runs(bed: Bed, code: int) -> None:
    bed.heals(bed.want())  # so that there is something to roll back to
    mark = bed.want()
    with bed.while_mail_starts(WAITS):
        first = bed.run(f"({IN_THE_MIDDLE} echo $run; touch /root/first) ; true").split()[-1]
        before = bed.picture()
        for verb in (
            APPLY,
            "remove --yes",
            "rollback --yes",
            "recover",
        ):
            said = bed.fails(code, "another run of provision", "hint:", verb=verb)
            assert re.search(rf"pid {first}\b", said), said
        before.is_untouched(bed.picture())
        bed.run(
            f"touch {RUN}/go; for i in $(seq 900); do"
            f" test -d /proc/{first} || break; sleep 0.1; done"
        )
        assert "applied in" in bed.run("cat /root/out")
    bed.is_green(mark)

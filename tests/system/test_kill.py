"""kill -9 in the middle of an apply on a live host: services, files and proxy are old or new.

Each kill goes on from where the one before it ended. PROVISION_TORTURE_SEED=N draws the same calls
again; a live run waits for others, so that a call may come at another moment then.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.sampling import seed_of

from .kill_bed import Looks, Victim
from .machine import CHECKOUT, Host
from .testbed.fleet import Fleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(3600)]
KILLS = int(os.environ.get("PROVISION_TORTURE_LIVE_KILLS", "4"))
SPEC = """\
version: 1
instances:
  chat:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: 0
    replicas: 2
    context: 256
    drain_seconds: 5
proxy:
  listen: 8080
"""
MORE = """\
  extra:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: 0
    context: 256
    drain_seconds: 5
"""
KILLED = 137
OLD, NEW = "/root/old.json", "/root/new.json"
APPLY = "apply --steady 0 <"  # that what it starts stays up is proven elsewhere


@pytest.fixture(scope="module")
def victim(testbed_cache: Path) -> Iterator[Victim]:
    with Fleet.up(1, testbed_cache) as fleet:
        fleet.install(CHECKOUT)
        yield Victim(
            Host(fleet.hosts[0].shell), ("/v1/chat/completions", "/extra/v1/chat/completions")
        )


def test_killed_anywhere_it_is_all_old_or_all_new(victim: Victim, testrun_uid: str) -> None:
    seed = seed_of(testrun_uid)
    print(f"PROVISION_TORTURE_SEED={seed}")
    numbers = random.Random(f"{seed}/live")
    looks: dict[str, Looks] = {}
    victim.plan(SPEC, OLD)
    assert victim.agent(f"{APPLY} {OLD}")[0] == 0
    looks[OLD] = victim.looks()
    changed = SPEC.replace("    context: 256\n", "    context: 256\n    env: {LLAMA_MARK: '1'}\n")
    victim.plan(changed.replace("proxy:", f"{MORE}proxy:"), NEW)
    # The way back makes nearly the same calls; a number that it does not come to kills nobody.
    points = victim.points(f"{APPLY} {NEW}")
    looks[NEW] = victim.looks()

    stands, found, died = NEW, [], 0
    told: set[str] = set()
    for _ in range(KILLS):
        wanted = NEW if stands == OLD else OLD
        call = numbers.choice(sorted({one.call for one in points}))
        point = numbers.choice([one for one in points if one.call == call])
        following = numbers.choice(("recover", f"{APPLY} {wanted}", f"{APPLY} {stands}"))
        code = victim.kill(f"{APPLY} {wanted}", point)
        died += code == KILLED
        ended, said = victim.agent(following)
        now = victim.looks()
        allowed = [following.split()[-1]] if "apply" in following else [OLD, NEW]
        print(f"{code} at {point}, then {following}: {ended}")
        unlike = {one: now.unlike(looks[one]) for one in allowed}
        stands = min(allowed, key=lambda one: len(unlike[one]))
        wrong = [*unlike[stands], *victim.left_over(), *([said[-1500:]] if ended else [])]
        if code not in (0, KILLED):
            wrong.append("a run that was not killed failed")
        new = [line for line in wrong if line not in told]  # what stays is told once
        if new:
            where = f"PROVISION_TORTURE_SEED={seed}: apply of {wanted} ended with {code} at {point}"
            found.append("\n    ".join([f"{where}, then {following}: {ended}", *new[:15]]))
        told |= set(new)
    assert not found, "\n".join(found)
    assert died, f"PROVISION_TORTURE_SEED={seed}: none of {KILLS} runs was killed"
    code, said = victim.agent("remove")
    assert code == 0, said
    assert victim.left_over() == []

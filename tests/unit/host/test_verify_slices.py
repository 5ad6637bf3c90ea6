"""verify on MIG slices: a process counts for its slice, whichever device NVML lists it at."""

from __future__ import annotations

import dataclasses
import json

import pytest

from provision.host.bundle import GuardGpu, InstanceRuntime
from provision.host.proof.gpus import by_slice, used
from provision.host.quantity import PciAddress
from tests.standin.build import Slice, line, mig_uuid_of, table_text, uuid_of

from .agent import Agent
from .bundles import instance

HERE, THERE = PciAddress.parse("0000:17:00.0"), PciAddress.parse("0000:3d:00.0")
CARDS = (GuardGpu("GPU-here", HERE), GuardGpu("GPU-there", THERE))
SLICES = (GuardGpu("MIG-a", HERE), GuardGpu("MIG-b", HERE))
PLANNED = (SLICES[0],)


@pytest.mark.parametrize(
    ("here", "a", "b", "ok", "words"),
    [
        pytest.param((7,), (7,), (), True, "MIG-a", id="listed at both"),
        pytest.param((), (7,), (), True, "MIG-a", id="listed at the slice alone"),
        pytest.param((7,), (), (), True, "MIG-a", id="listed at the card alone"),
        pytest.param((7,), None, None, True, "MIG-a", id="slices tell nothing"),
        pytest.param((7,), (), (7,), False, "compute on MIG-b", id="on another slice"),
        pytest.param((), (), (), None, "no process seen on MIG-a", id="nowhere"),
    ],
)
def test_where_a_process_counts(
    here: tuple[int, ...],
    a: tuple[int, ...] | None,
    b: tuple[int, ...] | None,
    ok: bool | None,
    words: str,
) -> None:
    told = {"GPU-here": here, "GPU-there": (), "MIG-a": a, "MIG-b": b}
    check = used("chat.0", ("MIG-a",), by_slice(PLANNED, CARDS, SLICES, told), {7})
    assert check.ok is ok
    assert words in f"{check.actual} {check.detail}"


def test_a_process_on_another_card_is_astray() -> None:
    told = {"GPU-here": (), "GPU-there": (7,), "MIG-a": (), "MIG-b": ()}
    check = used("chat.0", ("MIG-a",), by_slice(PLANNED, CARDS, SLICES, told), {7})
    assert check.ok is False and "GPU-there" in check.detail


def test_a_whole_card_beside_slices_is_as_ever() -> None:
    told = {"GPU-here": (9,), "GPU-there": (7,), "MIG-a": (9,), "MIG-b": ()}
    planned = (CARDS[1],)
    check = used("chat.0", ("GPU-there",), by_slice(planned, CARDS, SLICES, told), {7})
    assert check.ok is True
    astray = used("chat.0", ("GPU-there",), by_slice(planned, CARDS, SLICES, told), {7, 9})
    assert astray.ok is False and "MIG-a" in astray.detail


@pytest.mark.parametrize(("gi", "ok"), [(9, True), (7, False)])
def test_with_a_driver(agent: Agent, gi: int, ok: bool) -> None:
    """The stand-in lists the process at the slice gi, and at the card too."""
    bus = "0000:17:00.0"
    slices = (Slice(0, "1g.10gb", 9856, gi=9), Slice(0, "1g.10gb", 9856, gi=7))
    process = line("process", gpu=0, pid=4242, memory_mib=100, gi=gi, ci=0)
    agent.table(table_text((bus,), "h100-mig", slices=slices, more=[process]))
    runtime = InstanceRuntime(1, "chat.0", (GuardGpu(mig_uuid_of(bus, 9), HERE),))
    agent.put("/etc/provision/instances/chat.0.json", runtime)
    agent.put("/one.json", dataclasses.replace(instance(), runtime=runtime))
    ran = agent.code(
        "import json\n"
        "from provision_host.bundle import Instance\n"
        "from provision_host.document import loads\n"
        "from provision_host.systemd import UnitStatus\n"
        "from provision_host.proof.gpus import gpu_checks\n"
        "one = loads(Instance, files.read('/one.json'), 'one')\n"
        "status = UnitStatus('ollama@chat.0.service', active='active', main_pid=4242)\n"
        "for check in gpu_checks(one, status, files):\n"
        "    print(json.dumps([check.aspect, check.ok, check.actual]))\n"
    )
    assert ran.returncode == 0, ran.stderr
    (found,) = (json.loads(text) for text in ran.stdout.splitlines())
    assert found == ["gpus", ok, mig_uuid_of(bus, gi)]
    assert uuid_of(bus) not in found[2]

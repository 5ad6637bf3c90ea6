"""guard of an instance on a MIG slice: the slice is looked for by its own UUID."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from provision.host.bundle import GuardGpu, InstanceRuntime
from provision.host.quantity import PciAddress
from provision.host.unit.guard import missing
from tests.standin.build import LACKING_IN_440, Slice, build, mig_uuid_of, table_text, uuid_of

from .agent import Agent

BUSES = ("0000:17:00.0", "0000:3d:00.0")
SLICES = (
    Slice(0, "3g.40gb", 40448, gi=2),
    Slice(0, "1g.10gb", 9856, gi=9, slot=3),  # with a hole in the numbering before it
    Slice(1, "1g.10gb", 9856, gi=7),
)
SMALL = mig_uuid_of(BUSES[0], 9)


def table(slices: Sequence[Slice] = SLICES) -> str:
    return table_text(BUSES, "h100-mig", slices=slices)


def start(agent: Agent, uuid: str, bus: str = BUSES[0]) -> subprocess.CompletedProcess[str]:
    runtime = InstanceRuntime(1, "chat.0", (GuardGpu(uuid, PciAddress.parse(bus)),))
    agent.put("/etc/provision/instances/chat.0.json", runtime)
    return agent.code(
        "from provision_host.unit.guard import guard\n"
        "try:\n    guard('chat.0', files, 0)\n"
        "except ProvisionError as error:\n    sys.exit(str(error))\n"
    )


@pytest.mark.parametrize("uuid", [mig_uuid_of(BUSES[0], 2), SMALL])
def test_a_planned_slice_is_found(agent: Agent, uuid: str) -> None:
    agent.table(table())
    ran = start(agent, uuid)
    assert (ran.returncode, ran.stdout) == (0, "guard: chat.0: 0000:17:00.0\n"), ran.stderr
    assert agent.files.read("/run/provision/chat.0.env") is None  # its UUID is in the env file


def test_a_slice_that_is_gone_is_named_with_those_present(agent: Agent) -> None:
    agent.table(table(SLICES[:1]))
    ran = start(agent, SMALL)
    assert ran.returncode == 1
    assert f"planned MIG slice not there: {SMALL} at 0000:17:00.0" in ran.stderr
    assert mig_uuid_of(BUSES[0], 2) in ran.stderr
    assert "make them again" in ran.stderr


def test_a_slice_whose_card_moved(agent: Agent) -> None:
    agent.table(table())
    ran = start(agent, SMALL, "0000:99:00.0")
    assert ran.returncode == 1
    assert f"MIG slice in another slot: {SMALL} is at 0000:17:00.0, not 0000:99:00.0" in ran.stderr


def test_the_card_itself_is_no_stand_in_for_its_slice(agent: Agent) -> None:
    agent.table(table_text(BUSES, "h100"))
    ran = start(agent, SMALL)
    assert ran.returncode == 1 and "not there" in ran.stderr
    assert uuid_of(BUSES[0]) in ran.stderr


def test_a_driver_that_knows_no_slices(agent: Agent) -> None:
    agent.table(table_text(BUSES, "3090"))
    old = build(agent.folder / "old", without=LACKING_IN_440)
    ran = start(Agent(agent.pyz, old, agent.folder), SMALL)
    assert ran.returncode == 1 and "not there" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_words_for_cards_and_slices_together() -> None:
    address = PciAddress.parse(BUSES[0])
    said = missing((GuardGpu("GPU-a", address), GuardGpu("MIG-b", address)), ())
    assert said and said.startswith("planned GPU not there") and "change of cards" in said

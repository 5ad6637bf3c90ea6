"""Claims about an instance's GPUs: what it may see, and on which its processes compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..bundle import GuardGpu, Instance
from ..errors import ProvisionError
from ..files import Files
from ..report import Check
from ..runtime import load_runtime
from ..systemd import UnitStatus
from ..unit.guard import visible_devices
from ..unit.nvml import nvml
from .live import environ_of, members_of


def gpu_checks(instance: Instance, status: UnitStatus, files: Files) -> list[Check]:
    """Visible devices and processes by GPU, as far as NVML tells; nothing without planned GPUs."""
    if not instance.runtime.gpus:
        return []
    planned = tuple(gpu.uuid for gpu in instance.runtime.gpus)
    try:
        runtime = load_runtime(files, instance.name)
        with nvml() as session:
            present, slices = session.present(), session.slices()
            told = {gpu.uuid: session.processes(gpu.uuid) for gpu in (*present, *slices)}
        users = by_slice(instance.runtime.gpus, present, slices, told)
        checks: list[Check] = []
        if runtime.visible_devices_variable and status.main_pid:
            wanted = visible_devices(runtime.gpus, present)
            live = environ_of(status.main_pid) or {}
            checks.append(_visible(instance.name, runtime.visible_devices_variable, wanted, live))
    except (ProvisionError, ValueError) as error:  # ValueError: a planned GPU is not there
        why = f"{error}".removeprefix("error: ")
        return [Check(instance.name, "gpus", None, ", ".join(planned), "unknown", why)]
    pids = set(members_of(status.cgroup)) or {status.main_pid or 0}
    return [*checks, used(instance.name, planned, users, pids)]


def by_slice(
    planned: Sequence[GuardGpu],
    cards: Sequence[GuardGpu],
    slices: Sequence[GuardGpu],
    told: Mapping[str, tuple[int, ...] | None],
) -> dict[str, tuple[int, ...] | None]:
    """Pids by GPU, where a card in MIG mode stands only for what no slice of it accounts for.

    Such a card lists the processes of its slices too, and some drivers list them there alone: then
    the slice that is planned on this card is taken for theirs. told: what NVML lists of each.
    """
    users = dict(told)
    for card in cards:
        own = [gpu.uuid for gpu in slices if gpu.address == card.address]
        listed = told.get(card.uuid)
        if not own or listed is None:
            continue
        accounted = {pid for uuid in own for pid in told.get(uuid) or ()}
        left = tuple(pid for pid in listed if pid not in accounted)
        ours = [gpu.uuid for gpu in planned if gpu.uuid in own]
        users[card.uuid] = () if ours else left
        for uuid in ours:
            users[uuid] = tuple(sorted({*(told.get(uuid) or ()), *left}))
    return users


def used(
    name: str,
    planned: tuple[str, ...],
    users: Mapping[str, tuple[int, ...] | None],
    pids: set[int],
) -> Check:
    """The unit's processes compute on planned GPUs alone. users: pids by GPU, None where untold."""
    shown = ", ".join(planned)
    known = {uuid: set(found) & pids for uuid, found in users.items() if found is not None}
    if not known:
        return Check(name, "gpus", None, shown, "unknown", "NVML tells no processes")
    on = tuple(uuid for uuid in sorted(known) if known[uuid])
    astray = [uuid for uuid in on if uuid not in planned]
    idle = [uuid for uuid in planned if uuid not in on]
    actual = ", ".join(on) or "none"
    if astray:
        why = f"processes of the unit compute on {', '.join(astray)}"
        return Check(name, "gpus", False, shown, actual, why)
    if idle:
        # An engine that loads models on demand, or in a PID namespace, shows none.
        return Check(name, "gpus", None, shown, actual, f"no process seen on {', '.join(idle)}")
    return Check(name, "gpus", True, shown, actual)


def _visible(name: str, variable: str, wanted: str, live: Mapping[str, str]) -> Check:
    actual = live.get(variable, "unset")
    return Check(
        name, "environment", actual == wanted, f"{variable}={wanted}", f"{variable}={actual}"
    )

"""Instances that need no search: on the CPU alone, and per-gpu groups over what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from provision.host.facts import Gpu
from provision.models.memory.need import need_on_cpu
from provision.models.memory.split import Split

from ..complaints import Complaints
from ..cost.links import joint_of
from ..machine.gpus import GpuTable
from ..ways.way import MIB, Way
from ..ways.weighing import Ways
from ..wording import gib
from .wishes import Wish, fits

_CPU_CONTEXT = 8192  # tokens, where neither host.yaml nor the engine has a number


def held_by_rest(wishes: Sequence[Wish], today: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """GPUs that a per-gpu group runs on today -> how much better they are left alone.

    A new instance takes the card of the highest number, so that chat.0 to chat.N stay.
    """
    groups_of_rest = {wish.group for wish in wishes if wish.per_gpu}
    held: dict[str, int] = {}
    highest = max((_number(name) for name in today), default=0)
    for name, uuids in today.items():
        if name.rpartition(".")[0] in groups_of_rest:
            held.update(dict.fromkeys(uuids, 1 + highest - _number(name)))
    return held


def _number(name: str) -> int:
    text = name.rpartition(".")[2]
    return int(text) if text.isdigit() and text.isascii() else 0


def running_copies(wish: Wish, today: Mapping[str, tuple[str, ...]]) -> list[Wish]:
    """A wish of `replicas: auto` once for each copy that runs already; any other wish alone."""
    if not wish.fill:
        return [wish]
    numbers = [_number(name) for name in today if name.rpartition(".")[0] == wish.group]
    count = 1 + max(numbers, default=0)
    return [replace(wish, name=f"{wish.group}.{at}", number=at) for at in range(count)]


def cpu_way(ways: Ways) -> Way:
    """All of it in RAM."""
    service, table = ways.service, ways.table
    load = service.load if service.load.context else replace(service.load, context=_CPU_CONTEXT)
    wanted = need_on_cpu(service.models, load)
    return Way(Split(), (), joint_of((), table), load, wanted)


def check_ram(placed: Mapping[str, Way], table: GpuTable, complaints: Complaints) -> None:
    """Models in RAM, of instances on the CPU and of layers that GPUs do not hold, all together."""
    taken = {
        name: way.need.ram_bytes // MIB
        for name, way in placed.items()
        if way.need is not None and (not way.gpus or way.split.offloaded)
    }
    most, whole = table.shared_mib, sum(taken.values())
    if most is None or whole <= most:
        return
    name = max(taken, key=lambda one: taken[one])
    others = f", {gib(whole)} together with others in RAM" if len(taken) > 1 else ""
    complaints.error(
        "no-fit",
        f"{name}: needs {gib(taken[name])} of RAM{others}; three quarters of this host's memory "
        f"are {gib(most)}",
        *("instances", name.rpartition(".")[0], "gpus"),
        hint="a smaller model or context, or GPUs that hold it",
    )


def counted_out(
    wish: Wish, taken: Mapping[str, Way], ways: Ways, today: Mapping[str, tuple[str, ...]]
) -> dict[str, Way]:
    """A per-gpu group over the GPUs that are left and hold its model, by instance name."""
    busy = {gpu.uuid for way in taken.values() for gpu in way.gpus}
    free = [
        gpu
        for gpu in ways.table.usable()
        if gpu.uuid not in busy and fits(wish, gpu) and ways.best((gpu,)).problem is None
    ]
    ordered = _numbered(wish.group, free, today)
    return {f"{wish.group}.{number}": ways.best((gpu,)) for number, gpu in enumerate(ordered)}


def _numbered(group: str, free: Sequence[Gpu], today: Mapping[str, tuple[str, ...]]) -> list[Gpu]:
    """The free GPUs by number: each number keeps today's card, the others follow in PCI order."""
    chosen: dict[int, Gpu] = {}
    for number in range(len(free)):
        held = today.get(f"{group}.{number}", ())
        gpu = next((one for one in free if (one.uuid,) == tuple(held)), None)
        if gpu is not None and gpu not in chosen.values():
            chosen[number] = gpu
    rest = iter(gpu for gpu in free if gpu not in chosen.values())
    return [chosen[number] if number in chosen else next(rest) for number in range(len(free))]

"""All reasons of a plan, in the order of the spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.engines.launch import Launch
from provision.spec.model import HostSpec

from ..machine.gpus import GpuTable
from ..machine.programs import Program
from ..placement.place import Placement
from ..placement.wishes import Wish
from ..plan import Reason
from ..seats.pins import Seated
from ..seats.ports import Ports
from ..ways.weighing import Ways
from .explain import (
    explain_copies,
    explain_gpus,
    explain_memory,
    explain_program,
    explain_split,
    explain_start,
)


def reasons_of(
    spec: HostSpec,
    placement: Placement,
    ways: Mapping[str, Ways],
    table: GpuTable,
    programs: Mapping[str, Program],
    ports: Mapping[str, Ports],
    seated: Mapping[str, Seated],
    launches: Sequence[Launch],
) -> tuple[Reason, ...]:
    """In the order of the spec, each sentence once; copies that are like the first in one."""
    found: list[Reason] = []
    for wish, launch in zip(placement.wishes, launches, strict=True):
        if _like_the_first(wish, placement):
            found.append(explain_copies(wish, placement))
            continue
        instance = spec.instances[wish.group]
        given = bool(instance.tensor_parallel_size or instance.pipeline_parallel_size)
        way = placement.ways[wish.name]
        reasons = [
            explain_gpus(wish, placement, table),
            explain_split(launch, way, ways[wish.group], given),
            explain_memory(launch, way, ways[wish.group]),
            *explain_start(launch, ports[wish.name], seated[wish.name], bool(instance.context)),
            explain_program(wish.group, programs[wish.group]),
        ]
        found += [one for one in reasons if one is not None]
    return tuple(dict.fromkeys(found))


def _like_the_first(wish: Wish, placement: Placement) -> bool:
    """One of three copies or more, about which there is nothing else to say."""
    copies = sum(1 for one in placement.wishes if one.group == wish.group)
    return wish.number > 0 and copies > 2 and wish.name not in placement.moved

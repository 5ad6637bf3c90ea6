"""Who shares a GPU in `nvidia-smi -q`: its MIG devices and its processes."""

from __future__ import annotations

from collections.abc import Sequence

from ..answers import NvmlMig, NvmlProcess
from . import values
from .listing import Slice
from .sections import Section


def mig_devices(told: Section, name: str | None, slices: Sequence[Slice]) -> tuple[NvmlMig, ...]:
    """The MIG devices: -q tells instances and memory, -L the UUID; the index joins them."""
    listed = {one.index: one for one in slices}
    found: list[NvmlMig] = []
    for part in told.all("MIG Device"):
        one = listed.get(values.whole(part.told("Index")) or 0)
        if one is None:
            continue  # without its UUID nothing can be started on it
        memory = part.part("Shared FB Memory Usage", "FB Memory Usage") or Section("")
        found.append(
            NvmlMig(
                uuid=one.uuid,
                name=f"{name or 'NVIDIA GPU'} MIG {one.profile}",
                memory_bytes=values.size(memory.told("Total")),
                gpu_instance=values.whole(part.told("GPU Instance ID")),
                compute_instance=values.whole(part.told("Compute Instance ID")),
            )
        )
    return tuple(found)


def processes(section: Section | None, mig: Sequence[NvmlMig]) -> tuple[NvmlProcess, ...]:
    """Processes with their memory; of one that computes and draws the larger number."""
    slices = {(one.gpu_instance, one.compute_instance): one.uuid for one in mig}
    found: dict[tuple[int, str], int | None] = {}
    at: dict[str, int | None] = {}
    for part in section.parts if section else ():
        key = part.name.lower()
        if key != "process id":
            at[key] = values.whole(part.value)
            continue
        pid = values.whole(part.value)
        uuid = slices.get((at.get("gpu instance id"), at.get("compute instance id")), "")
        at = {}
        if pid:
            memory = values.size(part.told("Used GPU Memory"))
            before = found.get((pid, uuid))
            found[pid, uuid] = max(
                (one for one in (memory, before) if one is not None), default=None
            )
    return tuple(
        NvmlProcess(pid, memory, uuid or None)
        for (pid, uuid), memory in sorted(found.items(), key=lambda item: item[0])
    )

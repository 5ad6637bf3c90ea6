"""MIG slices as GPUs of their own: what a plan may give to an instance where a card is cut."""

from __future__ import annotations

from dataclasses import replace

from provision.host.facts import Gpu

_MARK = "MIG-"


def slices_of(gpu: Gpu) -> tuple[Gpu, ...]:
    """Its slices, each as a GPU with the slice's UUID and memory at the place of the card."""
    if not gpu.mig:
        return ()
    return tuple(
        replace(
            gpu,
            uuid=one.uuid,
            name=f"{gpu.name or gpu.vendor} MIG {one.profile}" if one.profile else gpu.name,
            memory_mib=one.memory_mib,
            memory_reserved_mib=None,
            mig=None,
            mig_devices=(),
            nvlinks=(),
        )
        for one in gpu.mig_devices
    )


def is_slice(gpu: Gpu) -> bool:
    """Whether it is a MIG slice; CUDA takes one of them a process."""
    return gpu.uuid.startswith(_MARK)


def share_of(gpu: Gpu, card: Gpu | None) -> float:
    """Part of the card's memory that this GPU is: 1 for a whole card, about 1/8 for a 1g slice."""
    if card is None or not is_slice(gpu) or not gpu.memory_mib or not card.memory_mib:
        return 1.0
    return min(1.0, gpu.memory_mib / card.memory_mib)

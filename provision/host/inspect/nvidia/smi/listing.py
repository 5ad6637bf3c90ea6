"""`nvidia-smi -L`: the names and UUIDs of GPUs and of their MIG devices."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GPU = re.compile(r"\s*GPU (\d{1,3}): (.*?) \(UUID: (GPU-[0-9A-Za-z-]{1,60})\)", re.ASCII)
# R450 to R470 write the UUID as MIG-GPU-<uuid>/<GPU instance>/<compute instance>.
_MIG = re.compile(
    r"\s*MIG (\S{1,40})\s+Device\s+(\d{1,3}): \(UUID: (MIG-[0-9A-Za-z/-]{1,80})\)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Slice:
    """A MIG device."""

    index: int  # within its GPU
    profile: str  # 1g.10gb
    uuid: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A GPU of the list."""

    index: int
    name: str
    uuid: str
    slices: tuple[Slice, ...] = ()


def parse_listing(text: str) -> tuple[Listed, ...]:
    """The GPUs in the order of the list."""
    gpus: list[tuple[int, str, str]] = []
    slices: list[list[Slice]] = []
    for line in text.splitlines():
        gpu, mig = _GPU.match(line), _MIG.match(line)
        if gpu:
            gpus.append((int(gpu[1]), gpu[2], gpu[3]))
            slices.append([])
        elif mig and slices:
            slices[-1].append(Slice(int(mig[2]), mig[1], mig[3]))
    return tuple(Listed(*gpu, tuple(below)) for gpu, below in zip(gpus, slices, strict=True))

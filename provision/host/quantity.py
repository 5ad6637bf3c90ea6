"""Values with a notation of their own: sets of CPUs, PCI addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_MOST_CPUS = 65536  # above any kernel's NR_CPUS; a longer range is a broken or hostile list


@dataclass(frozen=True, slots=True)
class CpuSet:
    """A set of CPU (or NUMA node) numbers in the kernel's list notation: `0-3,8,10-11`."""

    ids: frozenset[int] = frozenset()

    @classmethod
    def of(cls, ids: Iterable[int]) -> CpuSet:
        return cls(frozenset(ids))

    @classmethod
    def parse(cls, text: str) -> CpuSet:
        """Read a list as sysfs and systemd write it; empty text is the empty set.

        Raises ValueError on anything else. The `a-b:used/group` form of the kernel is read too.
        """
        ids: set[int] = set()
        for part in text.replace(",", " ").split():
            match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6})(?::(\d{1,6})/(\d{1,6}))?)?", part)
            if not match:
                raise ValueError(f"not a list of CPUs: {text!r}")
            first = int(match[1])
            last = int(match[2] or match[1])
            used, group = int(match[3] or 1), int(match[4] or 1)
            if last < first or last >= _MOST_CPUS or not 0 < used <= group:
                raise ValueError(f"not a list of CPUs: {text!r}")
            ids.update(cpu for cpu in range(first, last + 1) if (cpu - first) % group < used)
        return cls(frozenset(ids))

    @classmethod
    def parse_mask(cls, text: str) -> CpuSet:
        """Read a hexadecimal mask in words of 32 bits: `00000000,0000ffff`."""
        word = text.strip().replace(",", "")
        if not re.fullmatch(r"[0-9a-fA-F]+", word):
            raise ValueError(f"not a mask of CPUs: {text!r}")
        value = int(word, 16)
        return cls(frozenset(bit for bit in range(value.bit_length()) if value >> bit & 1))

    def __str__(self) -> str:
        runs: list[str] = []
        ids = sorted(self.ids)
        start = 0
        for at, cpu in enumerate(ids):
            if at + 1 == len(ids) or ids[at + 1] != cpu + 1:
                runs.append(str(cpu) if at == start else f"{ids[start]}-{cpu}")
                start = at + 1
        return ",".join(runs)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, cpu: object) -> bool:
        return cpu in self.ids

    def __or__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.ids | other.ids)

    def __and__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.ids & other.ids)

    def __sub__(self, other: CpuSet) -> CpuSet:
        return CpuSet(self.ids - other.ids)

    def __le__(self, other: CpuSet) -> bool:
        return self.ids <= other.ids


@dataclass(frozen=True, slots=True, order=True)
class PciAddress:
    """A PCI address, `0000:17:00.0`; the domain may have up to eight digits (VMD)."""

    domain: int
    bus: int
    device: int
    function: int

    @classmethod
    def parse(cls, text: str) -> PciAddress:
        """Read sysfs's, NVML's (`00000000:17:00.0`) or the short form (`17:00.0`)."""
        match = re.fullmatch(
            r"(?:([0-9a-fA-F]{1,8}):)?([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2})\.([0-7])", text.strip()
        )
        if not match:
            raise ValueError(f"not a PCI address: {text!r}")
        return cls(int(match[1] or "0", 16), int(match[2], 16), int(match[3], 16), int(match[4]))

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.device:02x}.{self.function}"

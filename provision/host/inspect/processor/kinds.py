"""Kinds of cores on machines that mix them: hybrid Intel, big and little ARM, dense AMD."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...facts import CoreKind
from ...quantity import CpuSet
from ..tree import Tree

_CPU = "/sys/devices/system/cpu"
# Folders of the perf units of hybrid Intel chips (Documentation/ABI/testing/
# sysfs-bus-event_source-devices); the last one is an island of its own from Meteor Lake on.
_INTEL = (("performance", "cpu_core"), ("efficiency", "cpu_atom"), ("low-power", "cpu_lowpower"))
# A step between two kinds is wider than between cores of one kind: firmware ranks the good cores
# of one kind a few per cent higher (5.7 and 5.5 GHz), while kinds are at least an eighth apart.
_ONE_KIND = 0.875

# MIDR_EL1's implementer and part number, from arch/arm64/include/asm/cputype.h.
_ARM: dict[tuple[int, int], str] = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD04): "Cortex-A35",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73",
    (0x41, 0xD0A): "Cortex-A75",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD0D): "Cortex-A77",
    (0x41, 0xD40): "Neoverse-V1",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD44): "Cortex-X1",
    (0x41, 0xD46): "Cortex-A510",
    (0x41, 0xD47): "Cortex-A710",
    (0x41, 0xD48): "Cortex-X2",
    (0x41, 0xD49): "Neoverse-N2",
    (0x41, 0xD4D): "Cortex-A715",
    (0x41, 0xD4E): "Cortex-X3",
    (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD80): "Cortex-A520",
    (0x41, 0xD81): "Cortex-A720",
    (0x41, 0xD82): "Cortex-X4",
    (0x41, 0xD84): "Neoverse-V3",
    (0x41, 0xD85): "Cortex-X925",
    (0x41, 0xD87): "Cortex-A725",
    (0x41, 0xD8E): "Neoverse-N3",
    (0x43, 0x0AF): "ThunderX2",
    (0x46, 0x001): "A64FX",
    (0x48, 0xD01): "TaiShan-v110",
    (0x4E, 0x004): "Carmel",
    (0xC0, 0xAC3): "Ampere-1",
    (0xC0, 0xAC4): "Ampere-1A",
}

Part = tuple[int, int]  # implementer and part number


def read_kinds(
    tree: Tree, online: CpuSet, cores: Sequence[CpuSet], parts: Mapping[int, Part]
) -> tuple[CoreKind, ...]:
    """The kinds of cores, the strongest first; nothing on a machine of one kind.

    Who tells: Intel's perf units, else ARM's part numbers, else the kernel's cpu_capacity, else
    the highest frequencies.
    """
    named = _of_intel(tree, online)
    capacities = _of_cores(tree, cores, "cpu_capacity") if not named else {}
    megahertz = {
        cpu: top // 1000 for cpu, top in _of_cores(tree, cores, "cpufreq/cpuinfo_max_freq").items()
    } or _of_policies(tree, online)
    groups = named or [
        (_part_name(parts, group) or f"kind-{at}", group)
        for at, group in enumerate(
            _by_part(online, parts, capacities, megahertz)
            or grouped(capacities, online)
            or grouped(megahertz, online)
        )
    ]
    if len(groups) < 2:
        return ()
    return tuple(
        CoreKind(name, cpus, _highest(capacities, cpus), _highest(megahertz, cpus))
        for name, cpus in groups
    )


def _part_name(parts: Mapping[int, Part], cpus: CpuSet) -> str | None:
    """The cores' name where all of these are of one part that we know: Cortex-X925."""
    names = {_ARM.get(parts[cpu]) if cpu in parts else None for cpu in cpus}
    return names.pop() if len(names) == 1 else None


def arm_parts(cpuinfo: str) -> dict[int, Part]:
    """Implementer and part number of each processor of an ARM's /proc/cpuinfo."""
    parts: dict[int, Part] = {}
    for block in re.split(r"\n\s*\n", cpuinfo):
        number = re.search(r"(?m)^processor\s*:\s*(\d{1,5})\s*$", block)
        maker = re.search(r"(?m)^CPU implementer\s*:\s*0x([0-9a-fA-F]{1,4})\s*$", block)
        part = re.search(r"(?m)^CPU part\s*:\s*0x([0-9a-fA-F]{1,4})\s*$", block)
        if number and maker and part:
            parts[int(number[1])] = (int(maker[1], 16), int(part[1], 16))
    return parts


def kind_model(parts: Mapping[int, Part], kinds: Sequence[CoreKind]) -> str | None:
    """The cores' names by their part numbers, the strongest first: Cortex-X925 + Cortex-A725."""
    rank = {cpu: at for at, kind in enumerate(kinds) for cpu in kind.cpus}
    ordered = sorted(parts, key=lambda cpu: (rank.get(cpu, len(kinds)), cpu))
    names = dict.fromkeys(_ARM.get(parts[cpu]) for cpu in ordered)
    known = [name for name in names if name is not None]
    return " + ".join(known) if known and len(known) == len(names) else None


def grouped(values: Mapping[int, int], online: CpuSet) -> tuple[CpuSet, ...]:
    """CPUs whose values lie close together, the highest first; nothing unless all CPUs have one."""
    if not values or any(cpu not in values for cpu in online):
        return ()
    levels = sorted({value for value in values.values() if value > 0}, reverse=True)
    group_of: dict[int, int] = {}
    group = 0
    for at, level in enumerate(levels):
        if at and level < levels[at - 1] * _ONE_KIND:
            group += 1
        group_of[level] = group
    return tuple(
        CpuSet.of(cpu for cpu in online if group_of.get(values[cpu]) == at)
        for at in range(group + 1)
    )


def _of_intel(tree: Tree, online: CpuSet) -> list[tuple[str, CpuSet]]:
    if not tree.is_file("/sys/devices/cpu_core/cpus"):
        return []
    told = ((name, tree.cpus(f"/sys/devices/{folder}/cpus")) for name, folder in _INTEL)
    return [(name, cpus & online) for name, cpus in told if cpus and cpus & online]


def _by_part(
    online: CpuSet,
    parts: Mapping[int, Part],
    capacities: Mapping[int, int],
    megahertz: Mapping[int, int],
) -> tuple[CpuSet, ...]:
    """CPUs by part number, the strongest first; nothing unless there are several of them."""
    if any(cpu not in parts for cpu in online):
        return ()
    groups = [
        CpuSet.of(cpu for cpu in online if parts[cpu] == part)
        for part in sorted({parts[cpu] for cpu in online})
    ]
    if len(groups) < 2:
        return ()

    def strength(cpus: CpuSet) -> tuple[int, int]:
        return (-(_highest(capacities, cpus) or 0), -(_highest(megahertz, cpus) or 0))

    return tuple(sorted(groups, key=strength))


def _of_cores(tree: Tree, cores: Sequence[CpuSet], file: str) -> dict[int, int]:
    """A file's number by CPU, read of each core's first; nothing where the first core has none."""
    values: dict[int, int] = {}
    for core in cores:
        number = tree.number(f"{_CPU}/cpu{min(core.ids)}/{file}")
        if number is None and not values:
            return {}
        if number is not None and 0 < number < 1 << 32:
            values.update(dict.fromkeys(core.ids, number))
    return values


def _of_policies(tree: Tree, online: CpuSet) -> dict[int, int]:
    """Highest frequencies in MHz by policy, where a recording lacks the links from the CPUs."""
    values: dict[int, int] = {}
    for name in tree.names(f"{_CPU}/cpufreq"):
        match = re.fullmatch(r"policy([0-9]{1,5})", name)
        top = tree.number(f"{_CPU}/cpufreq/{name}/cpuinfo_max_freq") if match else None
        if match and top is not None and 0 < top < 1 << 32:
            cpus = tree.cpus(f"{_CPU}/cpufreq/{name}/related_cpus") or CpuSet()
            values.update(dict.fromkeys((cpus | CpuSet.of((int(match[1]),))).ids, top // 1000))
    return {cpu: value for cpu, value in values.items() if cpu in online}


def _highest(values: Mapping[int, int], cpus: CpuSet) -> int | None:
    return max((values[cpu] for cpu in cpus.ids if cpu in values), default=None)

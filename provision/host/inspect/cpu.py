"""CPUs: which are online, which share a physical core, how many sockets, what model."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..facts import Cpu
from ..quantity import CpuSet
from .tree import Tree

_CPU = "/sys/devices/system/cpu"
_MOST_SOCKETS_OF_ONE_CORE = 8


def read_cpu(tree: Tree) -> Cpu:
    """The CPUs of a machine (Documentation/ABI/stable/sysfs-devices-system-cpu)."""
    cpuinfo = tree.text("/proc/cpuinfo") or ""
    online = _online(tree, cpuinfo)
    topology = {cpu: f"{_CPU}/cpu{cpu}/topology" for cpu in online}
    siblings = {cpu: _siblings(tree, folder) for cpu, folder in topology.items()}
    cores = physical_cores(online, siblings)
    packages = {cpu: _package(tree, folder) for cpu, folder in topology.items()}
    ids = {cpu: tree.number(f"{folder}/physical_package_id") for cpu, folder in topology.items()}
    return Cpu(
        model=cpu_model(cpuinfo),
        online=online,
        offline=_offline(tree, online),
        allowed=allowed_cpus(tree.text("/proc/self/status") or ""),
        sockets=socket_count(online, ids, packages, len(cores)),
        cores=cores,
    )


def cpu_model(cpuinfo: str) -> str | None:
    """The model's name from /proc/cpuinfo; arm64 kernels give none."""
    for key in ("model name", "Model Name", "cpu model", "cpu", "Processor", "uarch"):
        match = re.search(rf"^{key}[ \t]*:[ \t]*(\S.*)$", cpuinfo, re.MULTILINE)
        if match:
            return " ".join(match[1].split())
    return None


def cpus_in_cpuinfo(cpuinfo: str) -> CpuSet:
    """The numbers of the processors that /proc/cpuinfo lists (`processor 0:` on s390)."""
    return CpuSet.of(int(one) for one in re.findall(r"(?m)^processor\s*:?\s*(\d{1,5})\b", cpuinfo))


def allowed_cpus(status: str) -> CpuSet | None:
    """Cpus_allowed_list of a /proc/PID/status."""
    match = re.search(r"^Cpus_allowed_list:\s*(\S+)", status, re.MULTILINE)
    try:
        return CpuSet.parse(match[1]) if match else None
    except ValueError:
        return None


def physical_cores(online: CpuSet, siblings: Mapping[int, CpuSet | None]) -> tuple[CpuSet, ...]:
    """SMT sibling sets of the online CPUs, one a physical core, ordered by first CPU.

    core_id is not used: it repeats over sockets and dies. A CPU of unknown siblings is a core of
    its own, and no CPU is in two cores whatever the firmware says.
    """
    cores: list[CpuSet] = []
    done = CpuSet()
    for cpu in online:
        if cpu in done:
            continue
        core = (((siblings.get(cpu) or CpuSet()) & online) - done) | CpuSet.of((cpu,))
        cores.append(core)
        done = done | core
    return tuple(cores)


def socket_count(
    online: CpuSet,
    ids: Mapping[int, int | None],
    packages: Mapping[int, CpuSet | None],
    cores: int,
) -> int | None:
    """The number of sockets, None where the kernel's packages are not sockets.

    physical_package_id is -1 on some arm64 and riscv, and counts something else on ppc64, ia64
    and s390 (topology.md §1): there it disagrees with core_siblings, or every core is a package.
    """
    known = [ids.get(cpu) for cpu in online]
    by_id = None if not known or None in known or -1 in known else len(set(known))
    sets = [packages.get(cpu) for cpu in online]
    by_set = None if not sets or None in sets else len({one & online for one in sets if one})
    if by_id is not None and by_set is not None and by_id != by_set:
        return None
    count = by_id if by_id is not None else by_set
    if count is not None and count == cores and count > _MOST_SOCKETS_OF_ONE_CORE:
        return None
    return count


def _online(tree: Tree, cpuinfo: str) -> CpuSet:
    """cpu/online; without it the folders of CPUs that are not switched off; else /proc/cpuinfo."""
    listed = tree.cpus(f"{_CPU}/online")
    if listed:
        return listed
    folders = [int(name[3:]) for name in tree.names(_CPU) if re.fullmatch(r"cpu\d{1,5}", name)]
    # CPU 0 often has no `online` file: it cannot be switched off.
    on = CpuSet.of(cpu for cpu in folders if tree.number(f"{_CPU}/cpu{cpu}/online") != 0)
    return on or cpus_in_cpuinfo(cpuinfo)


def _offline(tree: Tree, online: CpuSet) -> CpuSet:
    """Present CPUs that are switched off; cpu/offline also lists sockets that are not there."""
    present = tree.cpus(f"{_CPU}/present")
    if present is not None:
        return present - online
    folders = [int(name[3:]) for name in tree.names(_CPU) if re.fullmatch(r"cpu\d{1,5}", name)]
    return CpuSet.of(folders) - online


def _siblings(tree: Tree, folder: str) -> CpuSet | None:
    newer = tree.cpus(f"{folder}/core_cpus_list", f"{folder}/core_cpus")  # from Linux 5.2
    return newer or tree.cpus(f"{folder}/thread_siblings_list", f"{folder}/thread_siblings")


def _package(tree: Tree, folder: str) -> CpuSet | None:
    newer = tree.cpus(f"{folder}/package_cpus_list", f"{folder}/package_cpus")
    return newer or tree.cpus(f"{folder}/core_siblings_list", f"{folder}/core_siblings")

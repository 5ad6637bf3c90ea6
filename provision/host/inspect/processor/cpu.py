"""CPUs: which are online, what they are called, and which of them we may use."""

from __future__ import annotations

import re

from ...facts import Cpu
from ...quantity import CpuSet
from ..tree import Tree
from .cores import physical_cores, read_caches, read_packages
from .kinds import arm_parts, kind_model, read_kinds

_CPU = "/sys/devices/system/cpu"
_CPUINFO = "/proc/cpuinfo"
_FIRST_PROCESSOR = 4096  # bytes that hold the model; the whole file costs milliseconds to make


def read_cpu(tree: Tree) -> Cpu:
    """The CPUs of a machine (Documentation/ABI/stable/sysfs-devices-system-cpu)."""
    first = (tree.head(_CPUINFO, _FIRST_PROCESSOR) or b"").decode("utf-8", "replace")
    # Only ARM tells the kind of each core there; other architectures need the first lines alone.
    parts = arm_parts(tree.text(_CPUINFO) or "") if "CPU implementer" in first else {}
    online = _online(tree)
    status = tree.text("/proc/self/status") or ""
    cores = physical_cores(tree, online)
    kinds = read_kinds(tree, online, cores, parts)
    packages = read_packages(tree, online, cores, kinds)
    return Cpu(
        model=cpu_model(first) or kind_model(parts, kinds),
        online=online,
        offline=_offline(tree, online),
        allowed=allowed(status, "Cpus"),
        allowed_nodes=allowed(status, "Mems"),
        isolated=tree.cpus(f"{_CPU}/isolated"),
        sockets=len(packages) if packages else None,
        cores=cores,
        kinds=kinds,
        packages=packages,
        caches=read_caches(tree, online),
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


def allowed(status: str, what: str) -> CpuSet | None:
    """Cpus_allowed_list or Mems_allowed_list of a /proc/PID/status; what: Cpus or Mems."""
    match = re.search(rf"^{what}_allowed_list:[ \t]*(\S+)", status, re.MULTILINE)
    try:
        return CpuSet.parse(match[1]) if match else None
    except ValueError:
        return None


def _online(tree: Tree) -> CpuSet:
    """cpu/online; without it the folders of CPUs that are not switched off; else /proc/cpuinfo."""
    listed = tree.cpus(f"{_CPU}/online")
    if listed:
        return listed
    # CPU 0 often has no `online` file: it cannot be switched off.
    on = CpuSet.of(cpu for cpu in _folders(tree) if tree.number(f"{_CPU}/cpu{cpu}/online") != 0)
    return on or cpus_in_cpuinfo(tree.text(_CPUINFO) or "")


def _offline(tree: Tree, online: CpuSet) -> CpuSet:
    """Present CPUs that are switched off; cpu/offline also lists sockets that are not there."""
    present = tree.cpus(f"{_CPU}/present")
    return (CpuSet.of(_folders(tree)) if present is None else present) - online


def _folders(tree: Tree) -> list[int]:
    return [int(name[3:]) for name in tree.names(_CPU) if re.fullmatch(r"cpu[0-9]{1,5}", name)]

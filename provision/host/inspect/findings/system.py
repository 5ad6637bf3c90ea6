"""The system: control groups, systemd, the interpreter for units, CUDA's order in shells."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding
from ...quantity import CpuSet
from .case import Case
from .names import gib
from .severity import note, warning

_OLDEST_SYSTEMD = 249  # Ubuntu 22.04: the oldest that our units are written for


def system_findings(case: Case) -> Iterator[Finding]:
    yield from _cgroup_version(case)
    yield from _cgroup_limits(case)
    yield from _systemd(case)
    yield from _python(case)


def _cgroup_version(case: Case) -> Iterator[Finding]:
    system = case.stable.system
    if system.cgroup not in ("v1", "hybrid"):
        return
    tell = warning if system.container is None else note
    yield tell(
        "cgroup-version",
        f"control groups are {system.cgroup}, not v2",
        "AllowedCPUs= and AllowedMemoryNodes= have no effect; CPUAffinity= and NUMAPolicy= do",
        "boot with systemd.unified_cgroup_hierarchy=1"
        if system.container is None
        else f"the host of this {system.container} container decides",
    )


def _cgroup_limits(case: Case) -> Iterator[Finding]:
    """What is inspected is more than what the inspecting process, and its like, may use."""
    cpu, group = case.stable.cpu, case.stable.cgroup
    told = []
    free = cpu.online - (cpu.isolated or CpuSet())
    # A task gets no isolated CPUs unless it is pinned to them: that is not a limit.
    allowed = _narrower(free, cpu.allowed, group.cpus)
    if allowed is not None:
        told.append(f"CPUs {allowed} of {cpu.online}")
    nodes = CpuSet.of(node.id for node in case.stable.numa_nodes if node.memory_mib)
    allowed_nodes = _narrower(nodes, cpu.allowed_nodes, group.nodes)
    if allowed_nodes is not None:
        told.append(f"memory of nodes {allowed_nodes} of {nodes}")
    if group.cpu_quota is not None and group.cpu_quota < len(cpu.online):
        told.append(f"{group.cpu_quota:g} CPUs' worth of time")
    total = case.stable.system.memory_mib
    if group.memory_mib is not None and total and group.memory_mib < total:
        told.append(f"{gib(group.memory_mib)} of {gib(total)} memory")
    if told:
        where = f" ({group.path})" if group.path else ""
        yield note(
            "cgroup-limits",
            f"this process's control group{where} is limited to {', '.join(told)}",
            "the facts are the whole machine's; what runs in the same group gets no more than that",
            "inspect from a plain root shell, if services are to run outside of it"
            if case.stable.system.container is None
            else "the container's own options decide (--cpuset-cpus, --cpuset-mems, --memory)",
        )


def _narrower(whole: CpuSet, *limits: CpuSet | None) -> CpuSet | None:
    """What limits leave of a whole; None when they leave all of it, or when it is not known."""
    if not whole:
        return None
    left = whole
    for limit in limits:
        if limit:
            left = left & limit
    return None if left == whole or not left else left


def _systemd(case: Case) -> Iterator[Finding]:
    version = case.stable.system.systemd
    if version is not None and version < _OLDEST_SYSTEMD:
        yield warning(
            "systemd-old",
            f"systemd is {version}, older than {_OLDEST_SYSTEMD}",
            "directives that our units rely on are unknown to it and left out",
            "use a distribution of 2021 or later (Ubuntu 22.04, Debian 12, RHEL 9)",
        )


def _python(case: Case) -> Iterator[Finding]:
    system = case.stable.system
    known = system.distribution is not None and system.systemd is not None
    if known and system.python is None and system.container is None:
        yield warning(
            "python-missing",
            "no Python 3.10 or later is in /usr/bin",
            "the units' own checks (guard, ready, GPU settings) cannot start",
            "install python3.11 (RHEL 9: dnf install python3.11)",
        )

"""Facts of CPUs and memory: cores, kinds of cores, NUMA nodes, huge pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..quantity import CpuSet


@dataclass(frozen=True, slots=True)
class CoreKind:
    """CPUs of one kind on a machine that mixes kinds, the strongest kind first."""

    name: str  # performance, efficiency, Cortex-X925, or kind-0 ... where no name is known
    cpus: CpuSet = CpuSet()  # its online CPUs
    capacity: int | None = None  # the kernel's cpu_capacity, 1024 for the strongest
    max_mhz: int | None = None  # highest frequency of cpufreq


@dataclass(frozen=True, slots=True)
class Cpu:
    """The CPUs of the whole machine, and what of them this process may use."""

    model: str | None = None  # AMD EPYC 7302 16-Core Processor
    online: CpuSet = CpuSet()  # CPUs that are switched on
    offline: CpuSet = CpuSet()  # present CPUs that are switched off
    allowed: CpuSet | None = None  # what the inspecting process itself may use
    allowed_nodes: CpuSet | None = None  # NUMA nodes whose memory it may use
    isolated: CpuSet | None = None  # kept from the scheduler (isolcpus=); None: not told
    sockets: int | None = None  # None where the kernel's packages are not sockets
    cores: tuple[CpuSet, ...] = ()  # online SMT siblings, one set a physical core, by first CPU
    kinds: tuple[CoreKind, ...] = ()  # only on machines that mix kinds of cores
    packages: tuple[CpuSet, ...] = ()  # online CPUs by socket; empty where sockets is None
    caches: tuple[CpuSet, ...] = ()  # CPUs that share one last level cache, by first CPU


@dataclass(frozen=True, slots=True)
class HugePages:
    """Huge pages of one size that are set aside."""

    size_kib: int  # 2048, 1048576
    total: int | None = None  # nr_hugepages


@dataclass(frozen=True, slots=True)
class NumaNode:
    """A node. Without CPUs (HBM, CXL, PMEM, GPU memory) cpus is empty."""

    id: int  # the kernel's number; sparse, may be large
    cpus: CpuSet = CpuSet()  # its online CPUs
    memory_mib: int | None = None  # its MemTotal
    distances: Mapping[int, int] = field(default_factory=dict)  # by node id; 10 is itself
    nearest: int | None = None  # the node with CPUs that is nearest; itself when it has CPUs
    huge_pages: tuple[HugePages, ...] = ()  # by size


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """Limits of the control group that inspection runs in; None: none, or not told."""

    path: str | None = None  # /user.slice/user-0.slice/session-1.scope
    cpus: CpuSet | None = None  # cpuset.cpus.effective
    nodes: CpuSet | None = None  # cpuset.mems.effective
    cpu_quota: float | None = None  # CPUs' worth of time by cpu.max, the tightest ancestor's
    memory_mib: int | None = None  # memory.max, the tightest ancestor's

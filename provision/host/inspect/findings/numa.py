"""NUMA nodes and CPUs: what pins cannot rely on."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, NumaNode
from .case import Case
from .names import gib, gpus_named, uuids, verb
from .severity import note, warning

_UNEVEN = 2  # times
_BALANCING = 1  # bit of kernel.numa_balancing; 2 is memory tiering alone


def numa_findings(case: Case) -> Iterator[Finding]:
    yield from _invalid(case)
    yield from _balancing(case)
    yield from _memory(case)
    yield from _reclaim(case)
    yield from _offline(case)
    yield from _isolated(case)
    yield from _numactl(case)


def _invalid(case: Case) -> Iterator[Finding]:
    if case.observed.numa_problem:
        yield warning(
            "numa-invalid",
            f"the firmware's NUMA information contradicts itself ({case.observed.numa_problem})",
            "all CPUs are taken as one node, and nothing can be pinned to a node",
            "update the firmware",
        )


def _balancing(case: Case) -> Iterator[Finding]:
    """The kernel's own page migration works against pins; without pins it is right."""
    value = case.stable.system.numa_balancing
    nodes = case.nodes_with_cpus
    if not value or not value & _BALANCING or len(nodes) < 2 or case.request.pins is False:
        return
    tell = warning if case.request.pins else note
    yield tell(
        "numa-balancing",
        f"kernel.numa_balancing is {value} on a machine of {len(nodes)} nodes",
        "the kernel unmaps and moves pages of programs that are pinned to a node, which stalls"
        " them for nothing",
        "sysctl kernel.numa_balancing=0, and the same line in /etc/sysctl.d/ to keep it",
    )


def _memory(case: Case) -> Iterator[Finding]:
    """Nodes with CPUs and no memory, or with much less than others."""
    nodes = case.nodes_with_cpus
    if len(nodes) < 2:
        return
    empty = [node for node in nodes if node.memory_mib == 0]
    if empty:
        near = [gpu for gpu in case.stable.gpus if gpu.numa_node in {node.id for node in empty}]
        yield warning(
            "numa-memory",
            f"{_nodes(empty)} {verb(len(empty), 'has', 'have')} CPUs and no memory"
            + (f", next to {gpus_named(case, near)}" if near else ""),
            "all memory of what runs there is remote, with less bandwidth and more latency",
            "put memory modules into that socket's slots; see dmidecode -t memory",
            (*(f"node{node.id}" for node in empty), *uuids(near)),
        )
    sizes = [node.memory_mib for node in nodes if node.memory_mib]
    if sizes and max(sizes) >= min(sizes) * _UNEVEN:
        told = ", ".join(
            f"node {node.id} {gib(node.memory_mib)}" for node in nodes if node.memory_mib
        )
        yield note(
            "numa-memory",
            f"the nodes' memory is uneven ({told})",
            "models in RAM that fit one node do not fit another, and the smaller node has fewer"
            " memory channels in use",
            "spread the memory modules evenly over the sockets' channels",
            (f"node{node.id}" for node in nodes),
        )


def _nodes(nodes: list[NumaNode]) -> str:
    return f"{verb(len(nodes), 'node', 'nodes')} {', '.join(str(node.id) for node in nodes)}"


def _reclaim(case: Case) -> Iterator[Finding]:
    mode = case.stable.kernel.zone_reclaim_mode
    if mode and len(case.nodes_with_cpus) > 1:
        yield warning(
            "zone-reclaim",
            f"vm.zone_reclaim_mode is {mode} on a machine of {len(case.nodes_with_cpus)} nodes",
            "the kernel throws model files out of the page cache rather than use another node's"
            " free memory, and stalls while it does",
            "sysctl vm.zone_reclaim_mode=0",
        )


def _offline(case: Case) -> Iterator[Finding]:
    """CPUs that are switched off, unless it is every core's second thread."""
    cpu = case.stable.cpu
    if not cpu.offline or case.stable.system.virtual_machine is not None:
        return
    threads_off = len(cpu.offline) >= len(cpu.online) and all(len(core) == 1 for core in cpu.cores)
    if threads_off or any("nosmt" in word for word in case.stable.kernel.parameters):
        return
    yield note(
        "cpu-offline",
        f"CPUs {cpu.offline} of {len(cpu.online) + len(cpu.offline)} are switched off",
        "nothing runs on them, and pins to them fail",
        f"chcpu -e {cpu.offline}, if it is not meant",
    )


def _isolated(case: Case) -> Iterator[Finding]:
    if case.stable.cpu.isolated:
        yield note(
            "cpu-isolated",
            f"CPUs {case.stable.cpu.isolated} are kept from the scheduler (isolcpus)",
            "services use them only where they are pinned to them, and threads pinned there are"
            " not spread by the kernel",
            "take isolcpus= from the kernel's command line, if it is not meant",
        )


def _numactl(case: Case) -> Iterator[Finding]:
    """vLLM's --numa-bind starts its workers through numactl, and does nothing without (#55416)."""
    engines = sorted({one.engine for one in case.stable.engines} & {"vllm"})
    if engines and len(case.nodes_with_cpus) > 1 and case.stable.system.numactl is None:
        yield note(
            "numactl-missing",
            f"numactl is not installed on a machine of {len(case.nodes_with_cpus)} nodes with vLLM",
            "vLLM's --numa-bind silently does nothing without it",
            "install the package numactl",
        )

"""The host's NUMA nodes as a plan sees them: those that can run something, with their cores."""

from __future__ import annotations

from dataclasses import dataclass

from provision.host.facts import Facts, Gpu, NumaNode
from provision.host.quantity import CpuSet

# A node this large can spare its first core for interrupts, the driver's threads and the shell.
_CORES_TO_SPARE = 8


@dataclass(frozen=True, slots=True)
class CpuNode:
    """A node with CPUs that are online. cores: SMT siblings together, by first CPU."""

    id: int
    cpus: CpuSet
    cores: tuple[CpuSet, ...]
    memory_mib: int | None = None

    def to_share(self) -> tuple[CpuSet, ...]:
        """Cores for instances: all but the first where the node can spare one."""
        return self.cores[1:] if len(self.cores) >= _CORES_TO_SPARE else self.cores


@dataclass(frozen=True, slots=True)
class Nodes:
    """CPU nodes by id; problem says why NUMA information was not believed."""

    cpu_nodes: tuple[CpuNode, ...]
    every: tuple[NumaNode, ...] = ()
    problem: str | None = None

    def get(self, number: int) -> CpuNode | None:
        return next((node for node in self.cpu_nodes if node.id == number), None)

    @property
    def single(self) -> bool:
        """One node or none: nothing to pin to."""
        return len(self.cpu_nodes) <= 1

    def next_to(self, gpu: Gpu) -> int | None:
        """The CPU node next to a GPU; the nearest by distance where its own has no CPUs."""
        number = gpu.numa_node if gpu.numa_node is not None else self._by_cpus(gpu)
        if number is None or self.get(number) is not None:
            return number
        own = next((node for node in self.every if node.id == number), None)
        if own is None:
            return None
        near = [
            (own.distances[node.id], node.id) for node in self.cpu_nodes if node.id in own.distances
        ]
        return min(near)[1] if near else None

    def _by_cpus(self, gpu: Gpu) -> int | None:
        """From the CPUs that the kernel calls local: numa_node -1 does not mean no locality."""
        if not gpu.local_cpus:
            return None
        online = CpuSet.of(cpu for node in self.cpu_nodes for cpu in node.cpus)
        local = gpu.local_cpus & online
        homes = [node.id for node in self.cpu_nodes if local and local <= node.cpus]
        return homes[0] if len(homes) == 1 else None


def nodes_of(facts: Facts) -> Nodes:
    """CPU nodes of a host. Overlapping CPU lists (a BIOS bug) make all of it unbelievable."""
    online = facts.stable.cpu.online
    found: list[CpuNode] = []
    for node in sorted(facts.stable.numa_nodes, key=lambda one: one.id):
        cpus = node.cpus & online if online else node.cpus
        if cpus:
            found.append(CpuNode(node.id, cpus, _cores(facts, cpus), node.memory_mib))
    if sum(len(node.cpus) for node in found) > len({cpu for node in found for cpu in node.cpus}):
        problem = "the firmware gives the same CPUs to several NUMA nodes"
        return Nodes((), facts.stable.numa_nodes, problem)
    return Nodes(tuple(found), facts.stable.numa_nodes)


def _cores(facts: Facts, cpus: CpuSet) -> tuple[CpuSet, ...]:
    """Physical cores among these CPUs; a CPU that no core names is a core of its own."""
    cores = [core & cpus for core in facts.stable.cpu.cores if core & cpus]
    known = CpuSet.of(cpu for core in cores for cpu in core)
    cores += [CpuSet.of((cpu,)) for cpu in cpus - known]
    return tuple(sorted(cores, key=lambda core: min(core)))


def core_count(facts: Facts) -> int:
    """Physical cores of the whole machine, 0 when unknown."""
    return len(_cores(facts, facts.stable.cpu.online))

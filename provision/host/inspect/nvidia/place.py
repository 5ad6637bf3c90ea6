"""Where an NVIDIA GPU sits: the CPUs and memory next to it, its own memory, its PCIe link."""

from __future__ import annotations

from collections.abc import Sequence

from ...facts import NumaNode, PciDevice, PcieLink
from ...quantity import CpuSet
from ..processor.numa import nearest_cpu_node
from .answers import NvmlGpu
from .words import link_speed


def cpu_node(told: NvmlGpu, device: PciDevice | None, nodes: Sequence[NumaNode]) -> int | None:
    """The node of the CPUs next to it: the bus's word, else NVML's where it names just one."""
    if device is not None and device.numa_node is not None:
        found = nearest_cpu_node(nodes, device.numa_node)
        if found is not None:
            return found
    with_cpus = [node for node in nodes if node.cpus]
    if told.node_affinity is not None:
        # With memory nodes in between (GB200: 0,3-9,11-17): only those with CPUs count.
        named = [node.id for node in with_cpus if node.id in told.node_affinity]
        if len(named) == 1:
            return named[0]
    near = _near_cpus(told, nodes)
    holding = [node.id for node in with_cpus if near is not None and near <= node.cpus]
    return holding[0] if len(holding) == 1 else None


def local_cpus(told: NvmlGpu, device: PciDevice | None, nodes: Sequence[NumaNode]) -> CpuSet | None:
    if device is not None and device.local_cpus is not None:
        return device.local_cpus
    return _near_cpus(told, nodes)


def _near_cpus(told: NvmlGpu, nodes: Sequence[NumaNode]) -> CpuSet | None:
    """NVML's CPU affinity. All CPUs of a machine of several nodes are no locality."""
    if told.cpu_affinity is None:
        return None
    everywhere = CpuSet.of(cpu for node in nodes for cpu in node.cpus)
    near = told.cpu_affinity & everywhere if everywhere else told.cpu_affinity
    several = sum(1 for node in nodes if node.cpus) > 1
    return None if not near or (several and everywhere <= near) else near


def memory_node(told: int | None, nodes: Sequence[NumaNode]) -> int | None:
    """The GPU's own memory as a node (Grace).

    Some answer with the node of the CPUs next to it, which is another thing (NVIDIA's own mock of
    NVML does): a node with CPUs is never a GPU's own.
    """
    return None if any(node.id == told and node.cpus for node in nodes) else told


def shares_host_memory(told: NvmlGpu) -> bool | None:
    """A GPU without memory of its own: GB10 (DGX Spark) and Thor.

    Symptom: no memory is told although the driver is well (NotSupported), and the addressing mode
    is ATS (driver 580; llmfit pull request 93, gpud pull request 1170). None: not known.
    """
    unified = told.memory_bytes is None and told.memory_node is None
    return True if unified and told.addressing_mode == "ATS" else None


def pcie_link(told: NvmlGpu, found: PcieLink | None) -> PcieLink | None:
    """The bus's word; of what it does not tell, NVML's.

    NVML's greatest width is that of card and slot together, so it stands in last.
    """
    by_driver = PcieLink(
        speed_max=link_speed(told.pcie_generation_card or told.pcie_generation_max),
        width=told.pcie_width,
        width_max=told.pcie_width_max,
    )
    if found is None:
        return None if by_driver == PcieLink() else by_driver
    return PcieLink(
        speed_max=by_driver.speed_max if found.speed_max is None else found.speed_max,
        width=by_driver.width if found.width is None else found.width,
        width_max=by_driver.width_max if found.width_max is None else found.width_max,
    )

"""The way between any two devices of the PCI bus, in nvidia-smi's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...facts import NumaNode, PathClass, PciBridge, PciPath
from ...quantity import PciAddress
from ..gpus import Paths, slot
from ..processor.numa import nearest_cpu_node
from .function import Function, is_root


def paths_between(
    ends: Sequence[tuple[Function, int | None]],
    bridges: Sequence[PciBridge],
    nodes: Sequence[NumaNode],
) -> tuple[PciPath, ...]:
    """The paths between each two of these functions, given with their nodes, in that order.

    A pair is left out where the path is not known.
    """
    placed = [(one, _cpu_node(nodes, node)) for one, node in ends]
    redirect = {bridge.address: bridge.acs_redirect for bridge in bridges}
    paths: list[PciPath] = []
    for at, (a, a_node) in enumerate(placed):
        for b, b_node in placed[at + 1 :]:
            path = path_class(a.way, b.way, a_node, b_node)
            if path:
                acs = _redirected(a.way, b.way, redirect) if path in ("PIX", "PXB") else None
                paths.append(PciPath(a.address, b.address, path, acs))
    return tuple(paths)


def _cpu_node(nodes: Sequence[NumaNode], node: int | None) -> int | None:
    """The node of the CPUs next to a device on that node."""
    with_cpus = [one.id for one in nodes if one.cpus]
    if len(with_cpus) < 2:  # nothing is far on a machine of one node, whatever firmware tells
        return with_cpus[0] if with_cpus else 0
    return nearest_cpu_node(nodes, node)


def path_class(
    a: Sequence[str], b: Sequence[str], a_node: int | None, b_node: int | None
) -> PathClass | None:
    """How near two functions are, from their ways down from the root and their CPUs' nodes.

    As in NVML (nvmlGpuTopologyLevel_t) and NCCL: PIX over at most one PCIe switch, or both right
    below one bridge; PXB over several switches; PHB over the host bridge (or the VMD) that both
    hang on; NODE between host bridges of one node; SYS between nodes. Two ports of one switch
    share its upstream port, so that a device at each has one bridge of its own; every further
    bridge belongs to a further switch. None: a way, or the node of one, is not known.
    """
    if not a or not b:
        return None
    shared = _shared(a, b)
    if shared == 0:
        if a_node is None or b_node is None:
            return None
        return "NODE" if a_node == b_node else "SYS"
    if is_root(a[shared - 1]) or any(map(is_root, (*a[shared:], *b[shared:]))):
        return "PHB"
    longest = max(len(a), len(b)) - shared  # own bridges and the device itself
    return "PIX" if longest <= 2 else "PXB"


def paths_by_slot(paths: Sequence[PciPath]) -> Paths:
    """The same by pairs of slots, both ways round: drivers name devices without a function."""
    found: dict[tuple[tuple[int, int, int], tuple[int, int, int]], PathClass] = {}
    for one in paths:
        a, b = slot(one.a), slot(one.b)
        found.setdefault((a, b), one.path)
        found.setdefault((b, a), one.path)
    return found


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    """How many parts two ways have in common from the root on."""
    most = min(len(a), len(b))
    return next((at for at in range(most) if a[at] != b[at]), most)


def _redirected(
    a: Sequence[str], b: Sequence[str], redirect: Mapping[PciAddress, bool | None]
) -> bool | None:
    """Whether the switch where two ways part sends requests between them up to the root.

    The two ports right below its upstream port decide; ports of switches further down would send
    such a request up in any case. None between functions below the same port, whose device alone
    decides.
    """
    shared = _shared(a, b)
    turns = [PciAddress.parse(way[shared]) for way in (a, b) if len(way) > shared + 1]
    told = [redirect.get(port) for port in turns]
    if any(told):
        return True
    return False if told and None not in told else None

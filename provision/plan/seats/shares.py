"""How the cores of a node are divided among the instances on it."""

from __future__ import annotations

from collections.abc import Sequence

from provision.host.facts import Gpu
from provision.host.quantity import CpuSet

from ..machine.nodes import CpuNode, Nodes

Sharer = tuple[str, tuple[int, ...], tuple[Gpu, ...]]  # instance, its nodes, its GPUs


def share_cores(
    sharers: Sequence[Sharer], gpus: Sequence[Gpu], nodes: Nodes
) -> dict[str, tuple[CpuSet, ...]]:
    """Whole physical cores for each instance, over all of its nodes.

    A node's cores are cut into equal slots: one for each GPU next to it, used or idle, in PCI
    order, and one for each instance on it that has no GPU there. So an instance that comes or goes
    on a GPU leaves the others' cores alone. Where there are fewer cores than slots the idle GPUs'
    are left out; where that is not enough, all instances share the whole node.
    """
    found: dict[str, tuple[CpuSet, ...]] = {name: () for name, _, _ in sharers}
    for node in nodes.cpu_nodes:
        here = [sharer for sharer in sharers if node.id in sharer[1]]
        spare = _spare(node, here, gpus, nodes)
        for name, cores in _divide(node, here, spare, nodes).items():
            found[name] += cores
    return {name: tuple(sorted(cores, key=min)) for name, cores in found.items()}


def _divide(
    node: CpuNode, here: Sequence[Sharer], spare: Sequence[Gpu], nodes: Nodes
) -> dict[str, tuple[CpuSet, ...]]:
    owners = [
        (gpu.address, name) for name, _, gpus in here for gpu in gpus if _home(gpu, nodes, node)
    ]
    lone = [name for name, _, gpus in here if not any(_home(gpu, nodes, node) for gpu in gpus)]
    cores = node.to_share()
    for extra in (list(spare), []):
        slots: list[str | None] = [
            name
            for _, name in sorted(
                [*owners, *((gpu.address, None) for gpu in extra)], key=lambda one: one[0]
            )
        ]
        slots += lone
        share = len(cores) // len(slots) if slots else 0
        if share:
            return _cut(slots, cores, share)
    return {name: node.cores for name, _, _ in here}


def _spare(node: CpuNode, here: Sequence[Sharer], gpus: Sequence[Gpu], nodes: Nodes) -> list[Gpu]:
    """GPUs next to the node that nobody on it uses: idle, or of an instance pinned elsewhere."""
    used = {gpu.uuid for _, _, owned in here for gpu in owned}
    return [gpu for gpu in gpus if gpu.uuid not in used and _home(gpu, nodes, node)]


def _home(gpu: Gpu, nodes: Nodes, node: CpuNode) -> bool:
    return nodes.next_to(gpu) == node.id


def _cut(
    slots: Sequence[str | None], cores: Sequence[CpuSet], share: int
) -> dict[str, tuple[CpuSet, ...]]:
    """Equal runs of cores, one a slot; what does not divide evenly stays with the system."""
    found: dict[str, tuple[CpuSet, ...]] = {}
    for at, name in enumerate(slots):
        if name is not None:
            run = tuple(cores[at * share : (at + 1) * share])
            found[name] = (*found.get(name, ()), *run)
    return found

"""The machine as a tree: sockets, NUMA nodes, PCIe switches, GPUs, network cards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from provision.host.facts import Facts, Gpu, Nic, NumaNode, PciBridge, PciDevice
from provision.host.quantity import CpuSet, PciAddress

from .labels import (
    Slot,
    cpus_text,
    device_link,
    gib,
    gpu_labels,
    gpu_name,
    link_text,
    nic_labels,
    shown_nics,
    slot,
    unserved,
)

Kind = Literal["socket", "node", "empty", "unknown", "bridge", "device", "slice"]


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of the tree and what hangs below it.

    cells of a bridge or device: address, what it is, its link; of a node: CPUs or what it is,
    memory, distances. empty: nodes with nothing in them; unknown: devices whose node is not known.
    """

    kind: Kind
    label: str
    cells: tuple[str, ...] = ()
    below: tuple[Branch, ...] = ()
    address: PciAddress | None = None  # of a device or bridge
    node: int | None = None


@dataclass(slots=True)
class _Place:
    """A host bridge or a bridge while the tree grows."""

    name: str
    bridge: PciBridge | None = None
    inner: dict[str, _Place] = field(default_factory=dict)
    leaves: list[Branch] = field(default_factory=list)


def machine_tree(facts: Facts) -> tuple[Branch, ...]:
    """Sockets with their nodes, or the nodes alone where sockets are not known.

    Devices of an unknown node stand at the end; on a machine of one node they are that node's.
    """
    with_cpus = [node for node in facts.stable.numa_nodes if node.cpus]
    only = with_cpus[0].id if len(with_cpus) == 1 else None
    homes: dict[int | None, list[_Device]] = {}
    for device in _devices(facts):
        node = device.node if device.node is not None else only
        homes.setdefault(node, []).append(device)
    ports = {bridge.address: bridge for bridge in facts.stable.bridges}
    nodes = {
        node.id: _node(node, facts, _bus(homes.pop(node.id, ()), ports))
        for node in facts.stable.numa_nodes
    }
    trunk = _sockets(facts, nodes)
    lost = [device for node in sorted(homes, key=str) for device in homes[node]]
    if lost:
        trunk = (*trunk, Branch("unknown", "node not known", below=_bus(lost, ports)))
    return trunk


@dataclass(frozen=True, slots=True)
class _Device:
    """A device that is shown, and its way down from its root."""

    branch: Branch
    address: PciAddress
    node: int | None
    root: str | None
    bridges: tuple[PciAddress, ...]


def _devices(facts: Facts) -> Iterator[_Device]:
    on_bus: dict[Slot, PciDevice] = {slot(one.address): one for one in facts.stable.accelerators}
    labels = gpu_labels(facts)
    for gpu in facts.stable.gpus:
        device = on_bus.get(slot(gpu.address))
        branch = _gpu(facts, gpu, labels[gpu.uuid], device)
        yield _device(branch, gpu.address, gpu.numa_node, device)
    for one in unserved(facts):
        what = one.name or f"{one.vendor_id}:{one.device_id}"
        held = f"driver {one.driver}" if one.driver else "no driver"
        # A card that fell off the bus has no link, whatever the port above it says.
        link = "" if one.answers is False else device_link(facts, one)
        cells = (str(one.address), f"{what}, {held}", link)
        branch = Branch("device", "not served", cells, address=one.address)
        yield _device(branch, one.address, one.numa_node, one)
    names = nic_labels(facts)
    for nic in shown_nics(facts):
        yield _device(_nic(facts, nic, names[nic.address]), nic.address, nic.numa_node, nic)


def _device(
    branch: Branch, address: PciAddress, node: int | None, found: PciDevice | Nic | None
) -> _Device:
    if found is None:
        return _Device(branch, address, node, None, ())
    return _Device(branch, address, node, found.root, found.bridges)


def _gpu(facts: Facts, gpu: Gpu, label: str, device: PciDevice | None) -> Branch:
    slices = tuple(
        Branch("slice", f"slice {one.profile or ''}".rstrip(), (one.uuid, gib(one.memory_mib)))
        for one in gpu.mig_devices
    )
    what = f"{gpu_name(gpu)} {gib(gpu.memory_mib)}".strip()
    if gpu.memory_node is not None:
        what += f", its memory is node {gpu.memory_node}"
    if gpu.integrated:
        what += ", integrated"
    link = device_link(facts, device) if device else link_text(gpu.link)
    if gpu.memory_node is not None or gpu.integrated:
        link = ""  # joined chip to chip; what the PCI files say is made up
    return Branch("device", label, (str(gpu.address), what, link), slices, gpu.address)


def _nic(facts: Facts, nic: Nic, label: str) -> Branch:
    what = nic.name or ("InfiniBand" if nic.class_code == "0207" else "Ethernet")
    names = " ".join(name for name in (*nic.rdma, *nic.interfaces) if name != label)
    text = f"{what} ({names})" if names else what
    cells = (str(nic.address), text, device_link(facts, nic))
    return Branch("device", label, cells, address=nic.address)


def _bus(devices: Sequence[_Device], ports: dict[PciAddress, PciBridge]) -> tuple[Branch, ...]:
    """The devices below their switches; a bridge with one thing below it is not shown."""
    roots: dict[str, _Place] = {}
    for device in sorted(devices, key=lambda one: one.address):
        place = roots.setdefault(device.root or "", _Place(device.root or ""))
        for address in device.bridges:
            name = str(address)
            place = place.inner.setdefault(name, _Place(name, ports.get(address)))
        place.leaves.append(device.branch)
    return tuple(
        branch for name in sorted(roots) for branch in _branches(roots[name], alone=len(roots) == 1)
    )


def _branches(place: _Place, alone: bool = False) -> tuple[Branch, ...]:
    """What hangs here, under a line of its own where several things do.

    alone: the host bridge is the only one of its node, and needs no line.
    """
    inner = [branch for one in place.inner.values() for branch in _branches(one)]
    below = sorted([*place.leaves, *inner], key=lambda one: (one.address is None, one.address))
    cards = {slot(one.address) for one in below if one.address}
    if len(cards) < 2 or not place.name or (place.bridge is None and alone):
        return tuple(below)
    bridge = place.bridge
    if bridge is None:
        cells = (place.name, "", "")
        return (Branch("bridge", "host bridge", cells, tuple(below), below[0].address),)
    label = {"upstream": "switch", "downstream": "switch port", "root-port": "root port"}.get(
        bridge.kind or "", "bridge"
    )
    cells = (str(bridge.address), "", link_text(bridge.link))
    return (Branch("bridge", label, cells, tuple(below), bridge.address),)


def _node(node: NumaNode, facts: Facts, below: tuple[Branch, ...]) -> Branch:
    if node.cpus:
        what = f"CPUs {cpus_text(node.cpus)}"
    elif not node.memory_mib:
        what = "empty"
    else:
        near = f", next to node {node.nearest}" if node.nearest is not None else ""
        what = f"memory alone{near}"
    for gpu in facts.stable.gpus:
        if gpu.memory_node == node.id:
            what = f"memory of {gpu_labels(facts)[gpu.uuid]}"
    far = [(to, far) for to, far in sorted(node.distances.items()) if to != node.id]
    cells = (what, gib(node.memory_mib), _distances(far))
    return Branch("node", f"node {node.id}", cells, below, node=node.id)


def _distances(far: Sequence[tuple[int, int]]) -> str:
    """`node 1 at 32`; many of one distance are told together, and only the nearest of very many."""
    groups: dict[int, list[int]] = {}
    for node, distance in far:
        groups.setdefault(distance, []).append(node)
    texts = [
        f"{'node' if len(nodes) == 1 else 'nodes'} {CpuSet.of(nodes)} at {distance}"
        for distance, nodes in sorted(groups.items())
    ]
    return ", ".join(texts[:3]) + (", ..." if len(texts) > 3 else "")


def _sockets(facts: Facts, nodes: dict[int, Branch]) -> tuple[Branch, ...]:
    """The nodes below their sockets, where each node with CPUs is of one socket."""
    packages = facts.stable.cpu.packages
    numa = facts.stable.numa_nodes
    bare = [
        one.id for one in numa if not one.cpus and not one.memory_mib and not nodes[one.id].below
    ]
    home: dict[int, int] = {}
    for node in numa:
        near = node.id if node.cpus else node.nearest
        cpus = next((one.cpus for one in numa if one.id == near), CpuSet())
        holders = [at for at, package in enumerate(packages) if cpus and cpus <= package]
        if holders:
            home[node.id] = holders[0]
    if len(packages) < 2 or any(node.cpus and node.id not in home for node in numa):
        return (*(nodes[one] for one in nodes if one not in bare), *_empty(bare))
    shown = [one for one in nodes if one not in bare]
    trunk = [
        Branch(
            "socket",
            f"socket {at}",
            below=tuple(nodes[one] for one in shown if home.get(one) == at),
        )
        for at in range(len(packages))
    ]
    return (*trunk, *(nodes[one] for one in shown if one not in home), *_empty(bare))


def _empty(bare: Sequence[int]) -> tuple[Branch, ...]:
    """Nodes with neither CPUs nor memory (GB200 has thirty) share a line."""
    if not bare:
        return ()
    label = "node" if len(bare) == 1 else "nodes"
    return (Branch("empty", f"{label} {CpuSet.of(bare)}", ("empty",)),)

"""Bridges above the devices that matter: root ports, switch ports, their links and slots."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...facts import NumaNode, PciBridge
from ...quantity import CpuSet, PciAddress
from ..tree import Tree
from .config import PortKind, port_kind, read_acs_redirect, read_header
from .function import Function, LinkFiles, hex_digits, locality, read_link

_SLOTS = "/sys/bus/pci/slots"

Place = tuple[int, int, int | None]  # domain, bus and device; None: any device of the bus


@dataclass(frozen=True, slots=True)
class _Port:
    """A bridge on the way, the bridge above it and what was found below it."""

    address: PciAddress
    folder: str
    parent: PciAddress | None
    below: set[PciAddress] = field(default_factory=set)


def read_bridges(
    tree: Tree,
    below: Sequence[tuple[Function, LinkFiles]],
    nodes: Sequence[NumaNode],
    online: CpuSet,
) -> tuple[tuple[PciBridge, LinkFiles], ...]:
    """All bridges above these functions in order of their addresses, and their link files."""
    ports = _ports([function for function, _ in below])
    links = {port.address: read_link(tree, port.folder) for port in ports.values()}
    express = {address for address, files in links.items() if files.express}
    express |= {function.address for function, files in below if files.express}
    slots = read_slots(tree) if ports else {}
    kinds: dict[PciAddress, PortKind | None] = {}
    found: list[tuple[PciBridge, LinkFiles]] = []
    for port in ports.values():  # parents come before what is below them
        told = port_kind(read_header(tree, port.folder))
        above = kinds.get(port.parent) if port.parent else None
        kind = corrected_kind(told, above) if told else _kind_by_place(port, above, ports, express)
        kinds[port.address] = kind
        # Ends of a link that face up have no access control to tell.
        faces_down = told is not None and kind in ("root-port", "downstream")
        found.append(
            (
                PciBridge(
                    address=port.address,
                    vendor_id=hex_digits(tree.text(f"{port.folder}/vendor"), 4) or None,
                    device_id=hex_digits(tree.text(f"{port.folder}/device"), 4) or None,
                    numa_node=locality(tree, port.folder, nodes, online)[0],
                    kind=kind,
                    link=links[port.address].link,
                    slot=_slot(port, slots),
                    acs_redirect=read_acs_redirect(tree, port.folder) if faces_down else None,
                ),
                links[port.address],
            )
        )
    return tuple(sorted(found, key=lambda one: one[0].address))


def _ports(functions: Sequence[Function]) -> Mapping[PciAddress, _Port]:
    """The bridges above these functions, each after the one above it."""
    ports: dict[PciAddress, _Port] = {}
    for function in functions:
        bridges = function.bridges
        folders = function.folder.split("/")
        for at, address in enumerate(bridges):
            folder = "/".join(folders[: len(folders) - len(bridges) + at])
            parent = bridges[at - 1] if at else None
            port = ports.setdefault(address, _Port(address, folder, parent))
            port.below.add(bridges[at + 1] if at + 1 < len(bridges) else function.address)
    return ports


def corrected_kind(told: PortKind, above: PortKind | None) -> PortKind:
    """The kind of a port that calls itself upstream below an upstream port, or the reverse.

    Some switches and boards have the two mixed up in their PCIe capability; the kernel corrects
    them by their place as well (set_pcie_port_type() in drivers/pci/probe.c).
    """
    if told == "downstream" and above in ("root-port", "downstream"):
        return "upstream"
    if told == "upstream" and above == "upstream":
        return "downstream"
    return told


def _kind_by_place(
    port: _Port,
    above: PortKind | None,
    ports: Mapping[PciAddress, _Port],
    express: set[PciAddress],
) -> PortKind | None:
    """A port's kind where its place alone proves it: that is what users other than root get.

    A PCIe bridge may also lead to conventional PCI; PCIe devices below it say that it does not.
    """
    if port.address not in express or not port.below & express:
        return None
    if port.parent is None:
        return "root-port"
    if above == "upstream":
        return "downstream"
    if above in ("root-port", "downstream") and port.below & express & ports.keys():
        return "upstream"
    return None


def read_slots(tree: Tree) -> Mapping[Place, str]:
    """The names of the slots by what is, or would be, plugged into them."""
    slots: dict[Place, str] = {}
    for name in tree.names(_SLOTS):
        place = slot_place(tree.text(f"{_SLOTS}/{name}/address") or "")
        if place:
            slots.setdefault(place, name)
    return slots


def slot_place(text: str) -> Place | None:
    """A slot's address: `0000:17:00`, or `0000:17` where the device is not told."""
    match = re.fullmatch(r"([0-9a-f]{4,8}):([0-9a-f]{2})(?::([0-9a-f]{2}))?", text)
    if not match:
        return None
    return int(match[1], 16), int(match[2], 16), int(match[3], 16) if match[3] else None


def _slot(port: _Port, slots: Mapping[Place, str]) -> str | None:
    """The slot that a bridge leads to: the one that holds what is right below it."""
    for one in sorted(port.below):
        name = slots.get((one.domain, one.bus, one.device)) or slots.get(
            (one.domain, one.bus, None)
        )
        if name:
            return name
    return None

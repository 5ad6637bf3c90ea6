"""The machine as nested parts: sockets, their nodes, what hangs on the bus below each node.

The order of things and which bridges are worth a box are those of `view.tree`: the picture and the
screen never disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from provision.host.facts import Facts, Gpu, Nic, NumaNode, PciDevice
from provision.host.quantity import PciAddress
from provision.view.labels import gpu_labels, shown_nics, unserved
from provision.view.tree import Branch, machine_tree


@dataclass(frozen=True, slots=True)
class Leaf:
    """A device: a GPU, a network card, or an accelerator that no driver serves."""

    label: str
    device: Gpu | Nic | PciDevice
    what: str  # product
    link: str  # x16 gen 4

    @property
    def address(self) -> PciAddress:
        return self.device.address


@dataclass(frozen=True, slots=True)
class More:
    """Virtual functions of network cards below one port, which are counted and not drawn."""

    number: int


@dataclass(frozen=True, slots=True)
class Port:
    """A switch, host bridge or root port that joins several things."""

    label: str
    name: str  # its address, pci0000:16
    link: str  # to what is above it
    below: tuple[Hanging, ...]


Hanging = Leaf | More | Port


@dataclass(frozen=True, slots=True)
class Home:
    """A node and what hangs below it. node None: the node of these things is not known."""

    node: NumaNode | None
    label: str
    told: str  # what the tree says of it
    distances: str
    below: tuple[Hanging, ...]


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket; with an empty label just a column. memories: nodes without CPUs and devices."""

    label: str
    homes: tuple[Home, ...]
    memories: tuple[Home, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """All of it. empty: nodes with neither CPUs nor memory, as a text."""

    sockets: tuple[Socket, ...]
    empty: str = ""

    @property
    def plain_pair(self) -> bool:
        """Two sockets of one node each: the line between them tells all distances."""
        named = [one for one in self.sockets if one.label]
        return len(named) == 2 and all(len(one.homes) == 1 for one in named)


def machine(facts: Facts) -> Machine:
    """The parts of a machine, as its tree tells them."""
    found = _Devices(facts)
    sockets: list[Socket] = []
    loose: list[Home] = []
    empty = ""
    for branch in machine_tree(facts):
        if branch.kind == "empty":
            empty = f"{branch.label}: empty"
        elif branch.kind != "socket":
            loose.append(found.home(branch))
        else:
            homes = [found.home(one) for one in branch.below]
            sockets.append(_socket(branch.label.capitalize(), homes))
    if sockets:
        sockets += [_socket("", [one]) for one in loose if _stands_alone(one)]
        memories = tuple(one for one in loose if not _stands_alone(one))
        if memories:
            sockets.append(Socket("", (), memories))
    elif loose:
        sockets = [_socket("", loose)]
    return Machine(tuple(sockets), empty)


def _stands_alone(home: Home) -> bool:
    return home.node is None or bool(home.node.cpus) or bool(home.below)


def _socket(label: str, homes: Sequence[Home]) -> Socket:
    return Socket(
        label,
        tuple(one for one in homes if _stands_alone(one)),
        tuple(one for one in homes if not _stands_alone(one)),
    )


class _Devices:
    """From the tree's branches back to the facts that they are about."""

    def __init__(self, facts: Facts) -> None:
        self._nodes = {node.id: node for node in facts.stable.numa_nodes}
        labels = gpu_labels(facts)
        self._gpus = {(one.address, labels[one.uuid]): one for one in facts.stable.gpus}
        self._nics = {nic.address: nic for nic in shown_nics(facts)}
        self._cards = {one.address: one for one in unserved(facts)}

    def home(self, branch: Branch) -> Home:
        """The node of a branch."""
        told, distances = (branch.cells[0], branch.cells[2]) if branch.cells else ("", "")
        return Home(
            None if branch.node is None else self._nodes.get(branch.node),
            f"NUMA {branch.label}",
            told,
            distances,
            self._hanging(branch.below),
        )

    def _hanging(self, branches: Iterable[Branch]) -> tuple[Hanging, ...]:
        shown: list[Hanging] = []
        uncounted = 0
        for branch in branches:
            one = self._one(branch)
            if isinstance(one, Leaf) and isinstance(one.device, Nic) and one.device.virtual:
                uncounted += 1
            else:
                shown.append(one)
        return (*shown, More(uncounted)) if uncounted else tuple(shown)

    def _one(self, branch: Branch) -> Hanging:
        cells = (*branch.cells, "", "", "")
        device: Gpu | Nic | PciDevice | None = None
        if branch.kind == "device" and branch.address is not None:
            device = self._gpus.get((branch.address, branch.label))
            device = device or self._nics.get(branch.address) or self._cards.get(branch.address)
        if device is not None:
            return Leaf(branch.label, device, cells[1], cells[2])
        label = {"switch": "PCIe switch"}.get(branch.label, branch.label.capitalize())
        return Port(label, cells[0], cells[2], self._hanging(branch.below))

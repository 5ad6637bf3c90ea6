"""How each two GPUs, and each GPU and network card, are joined: the table and its legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provision.host.facts import Facts, Gpu, GpuLink, PathClass
from provision.host.quantity import PciAddress

from .labels import Slot, gpu_labels, nic_labels, shown_nics, slot

_MEANING = {
    "NV#": "# NVLinks",
    "XGMI": "AMD's Infinity Fabric links",
    "PIX": "through one PCIe switch",
    "PXB": "through several PCIe switches",
    "PHB": "through one PCIe host bridge, in the CPU",
    "NODE": "through several host bridges of one NUMA node",
    "SYS": "from one NUMA node to another",
    "!": "but GPUs cannot read each other's memory on this way (no P2P)",
    "?": "not known",
}
_FAR_ON_ONE_NODE = "; the driver says it of some pairs on one node too"


@dataclass(frozen=True, slots=True)
class Matrix:
    """rows x columns of cells, `X` on the diagonal. legend: the words that occur, nearest first."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    legend: tuple[tuple[str, str], ...]
    nics: tuple[tuple[str, str], ...] = ()  # what a column's short name stands for


def matrix(facts: Facts) -> Matrix | None:
    """GPUs against GPUs and network cards; None where there is nothing to join.

    With RDMA cards there, the others are left out: they carry no traffic of GPUs.
    """
    gpus = facts.stable.gpus
    nics = shown_nics(facts)
    nics = tuple(nic for nic in nics if nic.rdma) or nics
    if len(gpus) + len(nics) < 2 or not gpus:
        return None
    labels = gpu_labels(facts)
    links = {frozenset((one.a, one.b)): one for one in facts.stable.gpu_links}
    paths = _paths(facts)
    cells = tuple(
        (
            *(_between(gpu, other, links, paths) for other in gpus),
            *(_path(gpu.address, nic.address, paths) for nic in nics),
        )
        for gpu in gpus
    )
    names = nic_labels(facts)
    short = tuple(f"NIC{at}" for at in range(len(nics)))
    return Matrix(
        rows=tuple(labels[gpu.uuid] for gpu in gpus),
        columns=(*(labels[gpu.uuid].replace(" ", "") for gpu in gpus), *short),
        cells=cells,
        legend=_legend((word for row in cells for word in row), _far_on_one_node(facts)),
        nics=tuple((name, names[nic.address]) for name, nic in zip(short, nics, strict=True)),
    )


def _between(
    one: Gpu,
    other: Gpu,
    links: Mapping[frozenset[str], GpuLink],
    paths: Mapping[tuple[Slot, Slot], PathClass],
) -> str:
    if one.uuid == other.uuid:
        return "X"
    link = links.get(frozenset((one.uuid, other.uuid)))
    if link is None:
        return _path(one.address, other.address, paths)
    if link.nvlinks:
        word = f"NV{link.nvlinks}"
    elif link.xgmi:
        word = "XGMI"
    else:
        word = link.path or _path(one.address, other.address, paths)
    return f"{word}!" if link.p2p is False else word


def _path(a: PciAddress, b: PciAddress, paths: Mapping[tuple[Slot, Slot], PathClass]) -> str:
    return paths.get((slot(a), slot(b)), "?")


def _paths(facts: Facts) -> dict[tuple[Slot, Slot], PathClass]:
    found: dict[tuple[Slot, Slot], PathClass] = {}
    for one in facts.stable.pci_paths:
        a, b = slot(one.a), slot(one.b)
        found[a, b] = found[b, a] = one.path
    return found


def _far_on_one_node(facts: Facts) -> bool:
    """Whether the driver calls the way between two GPUs of one node SYS (some boards)."""
    nodes = {gpu.uuid: gpu.numa_node for gpu in facts.stable.gpus}
    return any(
        link.path == "SYS" and nodes.get(link.a) is not None and nodes[link.a] == nodes.get(link.b)
        for link in facts.stable.gpu_links
    )


def _legend(words: Iterable[str], far_on_one_node: bool) -> tuple[tuple[str, str], ...]:
    used: set[str] = set()
    for word in words:
        bare = word.removesuffix("!")
        used.add("NV#" if bare.startswith("NV") else bare)
        if bare != word:
            used.add("!")
    also = {"SYS": _FAR_ON_ONE_NODE} if far_on_one_node else {}
    return tuple(
        (word, text + also.get(word, "")) for word, text in _MEANING.items() if word in used
    )

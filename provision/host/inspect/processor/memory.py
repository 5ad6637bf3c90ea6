"""Memory: huge pages that are set aside, and what is free now, of the machine and of each node."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...facts import HugePages, MemoryNow, NodeNow, NumaNode
from ..tree import Tree

_MEMINFO = "/proc/meminfo"
_NODE = "/sys/devices/system/node"


def read_memory_now(tree: Tree) -> MemoryNow:
    """Available and committed memory, and swap in use, from /proc/meminfo."""
    return memory_now(tree.text(_MEMINFO) or "")


def memory_now(meminfo: str) -> MemoryNow:
    """The same of its text. MemAvailable came with Linux 3.14."""
    total, free = kib_of(meminfo, "SwapTotal"), kib_of(meminfo, "SwapFree")
    return MemoryNow(
        available_mib=_mib(kib_of(meminfo, "MemAvailable")),
        swap_used_mib=None if total is None or free is None else max(total - free, 0) // 1024,
        committed_mib=_mib(kib_of(meminfo, "Committed_AS")),
        commit_limit_mib=_mib(kib_of(meminfo, "CommitLimit")),
    )


def read_nodes_now(tree: Tree, nodes: Sequence[NumaNode]) -> tuple[NodeNow, ...]:
    """Free memory and free huge pages of each node that tells any of them.

    A sole node may be the pseudo node of a machine whose own nodes are missing or contradictory:
    the machine as a whole is asked then, which comes to the same for a real one.
    """
    told: list[NodeNow] = []
    for node in nodes:
        folder = f"{_NODE}/node{node.id}"
        meminfo, pages = f"{folder}/meminfo", f"{folder}/hugepages"
        if len(nodes) == 1:
            meminfo, pages = _MEMINFO, "/sys/kernel/mm/hugepages"
        told.append(_node_now(tree, node, tree.text(meminfo) or "", pages))
    return tuple(now for now in told if now != NodeNow(now.id))


def _node_now(tree: Tree, node: NumaNode, meminfo: str, folder: str) -> NodeNow:
    free = [
        tree.number(f"{folder}/hugepages-{pages.size_kib}kB/free_hugepages")
        for pages in node.huge_pages
    ]
    known = [number for number in free if number is not None]
    return NodeNow(
        node.id,
        free_mib=_mib(kib_of(meminfo, "MemFree")),
        huge_pages_free=sum(known) if known and len(known) == len(free) else None,
    )


def read_huge_pages(tree: Tree, folder: str) -> tuple[HugePages, ...]:
    """Huge pages by size (Documentation/admin-guide/mm/hugetlbpage.rst), of machine or node."""
    found = (re.fullmatch(r"hugepages-([0-9]{1,12})kB", name) for name in tree.names(folder))
    sizes = sorted(int(match[1]) for match in found if match)
    return tuple(
        HugePages(size, tree.number(f"{folder}/hugepages-{size}kB/nr_hugepages")) for size in sizes
    )


def kib_of(meminfo: str, key: str) -> int | None:
    """A value of /proc/meminfo or of a node's meminfo (`Node 0 MemTotal: 123 kB`), in KiB."""
    match = re.search(
        rf"^(?:Node\s+\d+\s+)?{key}:[ \t]*([0-9]{{1,18}})[ \t]*kB", meminfo, re.MULTILINE
    )
    return int(match[1]) if match else None


def _mib(kib: int | None) -> int | None:
    return None if kib is None else kib // 1024

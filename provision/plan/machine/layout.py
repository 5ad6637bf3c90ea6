"""Layout: the host's GPUs in numbers, so that thousands of groups are compared quickly."""

from __future__ import annotations

from collections.abc import Sequence

from provision.host.facts import Gpu

from ..cost.cards import Card, card_of
from .gpus import GpuTable, nvlinks, path_rank
from .groups import likely

Signature = tuple[tuple[int, ...], tuple[int, ...]]


class Layout:
    """Kinds of cards and joints of pairs as numbers; the same number means the same to a plan."""

    def __init__(self, table: GpuTable) -> None:
        gpus = table.usable()
        self._table = table
        self._cards: dict[str, Card | None] = {}
        self._likely: dict[tuple[tuple[str, ...], int], list[tuple[Gpu, ...]]] = {}
        self._index = {gpu.uuid: at for at, gpu in enumerate(gpus)}
        kinds: dict[object, int] = {}
        self._kind = [
            kinds.setdefault(
                (gpu.vendor, gpu.name, table.room(gpu), table.total(gpu), gpu.link), len(kinds)
            )
            for gpu in gpus
        ]
        codes: dict[object, int] = {}
        self._code = [
            [codes.setdefault(_joint(table, a, b), len(codes)) for b in gpus] for a in gpus
        ]
        self._lone = [[int(nvlinks(table, a, b) == 0) for b in gpus] for a in gpus]
        self._rank = [[path_rank(table, a, b) for b in gpus] for a in gpus]
        self._node = [
            gpu.numa_node if gpu.numa_node is not None else -1 - at for at, gpu in enumerate(gpus)
        ]
        self._tied = [
            sum(1 << at for at, b in enumerate(gpus) if b is not a and nvlinks(table, a, b))
            for a in gpus
        ]

    def likely(self, free: Sequence[Gpu], size: int) -> list[tuple[Gpu, ...]]:
        """provision.plan.groups.likely, remembered."""
        key = (tuple(gpu.uuid for gpu in free), size)
        if key not in self._likely:
            self._likely[key] = likely(self._table, free, size)
        return self._likely[key]

    def card(self, gpu: Gpu) -> Card | None:
        """provision.plan.cost.cards.card_of, remembered."""
        if gpu.uuid not in self._cards:
            self._cards[gpu.uuid] = card_of(gpu)
        return self._cards[gpu.uuid]

    def positions(self, group: Sequence[Gpu]) -> tuple[int, ...]:
        """Of these GPUs among the usable ones."""
        return tuple(self._index[gpu.uuid] for gpu in group)

    def signature(self, at: Sequence[int]) -> Signature:
        """Equal for groups (in PCI order) that a plan cannot tell apart but by their names."""
        code, kind = self._code, self._kind
        return (
            tuple(kind[one] for one in at),
            tuple(code[a][b] for i, a in enumerate(at) for b in at[i + 1 :]),
        )

    def crossings(self, at: Sequence[int]) -> tuple[int, int, int]:
        """Nodes beyond the first, pairs without NVLink, and how far those are from each other."""
        lone, far = 0, 0
        for i, a in enumerate(at):
            row, ranks = self._lone[a], self._rank[a]
            for b in at[i + 1 :]:
                if row[b]:
                    lone += 1
                    far += ranks[b]
        return (len({self._node[one] for one in at}) - 1, lone, far)

    def torn(self, at: Sequence[int]) -> int:
        """NVLinks to GPUs that are left out, which lose their partner: pairs, not links."""
        mine = sum(1 << one for one in at)
        return sum(bin(self._tied[one] & ~mine).count("1") for one in at)


def _joint(table: GpuTable, a: Gpu, b: Gpu) -> object:
    link = table.link(a, b)
    same = a.numa_node is not None and a.numa_node == b.numa_node
    return (same, (link.path, link.nvlinks, link.xgmi, link.p2p) if link else None)

"""Groups of GPUs that could serve one instance together, and the order within a group."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from provision.host.facts import Gpu

from .gpus import GpuTable, alike, nvlinks, path_rank
from .slices import is_slice

_MOST_GROUPS = 2_000  # combinations that are all looked at: of 8 GPUs any, of 16 up to 4


Score = tuple[float, ...]


def groups(table: GpuTable, free: Sequence[Gpu], size: int) -> list[tuple[Gpu, ...]]:
    """Groups of `size` GPUs of one vendor, each in PCI order; of slices one at a time only.

    All of them up to 2,000, beyond that those that grow around each card by always adding the
    nearest.
    """
    if size == 1:
        return [(gpu,) for gpu in free]
    found: list[tuple[Gpu, ...]] = []
    whole = [gpu for gpu in free if not is_slice(gpu)]
    for vendor in sorted({gpu.vendor for gpu in whole}):
        cards = [gpu for gpu in whole if gpu.vendor == vendor]
        if len(cards) < size:
            continue
        if math.comb(len(cards), size) <= _MOST_GROUPS:
            found += itertools.combinations(cards, size)
        else:
            found += _parted(table, cards, size)
    return found


def grown(table: GpuTable, cards: Sequence[Gpu], size: int) -> list[tuple[Gpu, ...]]:
    """From each card, always the nearest one added."""
    found = (_from(table, first, cards, size) for first in cards)
    return list({_key(group): group for group in found}.values())


def _parted(table: GpuTable, cards: Sequence[Gpu], size: int) -> list[tuple[Gpu, ...]]:
    """From each card, and from what is left then, so that several such groups fit side by side."""
    found: dict[tuple[str, ...], tuple[Gpu, ...]] = {}
    for first in cards:
        left, start = list(cards), first
        while len(left) >= size:
            group = _from(table, start, left, size)
            found[_key(group)] = group
            left = [gpu for gpu in left if gpu not in group]
            start = left[0] if left else first
    return list(found.values())


def _from(table: GpuTable, first: Gpu, cards: Sequence[Gpu], size: int) -> tuple[Gpu, ...]:
    group = [first]
    while len(group) < size:
        rest = [gpu for gpu in cards if gpu not in group]
        group.append(min(rest, key=lambda gpu: _distance(table, group, gpu)))
    return tuple(sorted(group, key=lambda gpu: (gpu.address, gpu.uuid)))


def _key(group: Iterable[Gpu]) -> tuple[str, ...]:
    return tuple(gpu.uuid for gpu in group)


def _distance(table: GpuTable, group: list[Gpu], gpu: Gpu) -> Score:
    strange = sum(1 for one in group if not alike((one, gpu)))
    far = sum(1 for one in group if one.numa_node != gpu.numa_node)
    lone = sum(1 for one in group if nvlinks(table, one, gpu) == 0)
    ranks = [path_rank(table, one, gpu) for one in group]
    return (strange, lone, far, sum(ranks), max(ranks, default=0))


def in_rank_order(group: Sequence[Gpu], tensor: int, table: GpuTable) -> tuple[Gpu, ...]:
    """The order in which an engine gets them: each `tensor` of them nearest to each other.

    Then runs of layers (pipeline stages) stay on one NVLink or node, and a stage hands over to
    its neighbour.
    """
    left = sorted(group, key=lambda gpu: (gpu.address, gpu.uuid))
    ordered: list[Gpu] = []
    while left:
        stage: list[Gpu] = []
        while len(stage) < max(1, tensor) and left:
            near = stage or ordered[-1:]
            best = min(left, key=lambda gpu: _distance(table, near, gpu)) if near else left[0]
            stage.append(best)
            left.remove(best)
        ordered += sorted(stage, key=lambda gpu: (gpu.address, gpu.uuid))
    return tuple(ordered)


def likely(table: GpuTable, free: Sequence[Gpu], size: int) -> list[tuple[Gpu, ...]]:
    """A few groups that hold the most or are joined best: cards of each kind, and the largest."""
    if size == 1:
        return groups(table, free, 1)
    whole = [gpu for gpu in free if not is_slice(gpu)]
    kinds: dict[object, list[Gpu]] = {}
    for gpu in whole:
        kinds.setdefault((gpu.vendor, gpu.name, table.room(gpu)), []).append(gpu)
    found = [
        group
        for cards in kinds.values()
        if len(cards) >= size
        for group in grown(table, cards, size)
    ]
    for vendor in sorted({gpu.vendor for gpu in whole}):
        cards = [gpu for gpu in whole if gpu.vendor == vendor]
        largest = sorted(cards, key=lambda gpu: -(table.room(gpu) or 0))[:size]
        if len(largest) == size:
            found.append(tuple(sorted(largest, key=lambda gpu: (gpu.address, gpu.uuid))))
    return list(dict.fromkeys(found))

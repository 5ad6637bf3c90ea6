"""The host's GPUs as a plan sees them: which may be used, how near they are, which fit together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from provision.host.facts import Facts, Gpu, GpuLink
from provision.host.quantity import PciAddress
from provision.spec.model import GpuSelector

# The nearest first; an unknown path counts as the farthest.
_PATHS = {"PIX": 0, "PXB": 1, "PHB": 2, "NODE": 3, "SYS": 4}
_FARTHEST = 4
_MOST_GROUPS = 4096  # combinations that are all looked at: 14 GPUs by any count, 28 by pairs

Score = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GpuTable:
    """GPUs in PCI order, and how each pair is joined. missing: why cards are not among them."""

    gpus: tuple[Gpu, ...]
    links: Mapping[tuple[str, str], GpuLink]
    missing: str | None = None

    def link(self, a: Gpu, b: Gpu) -> GpuLink | None:
        return self.links.get(_pair(a.uuid, b.uuid))

    def named(self, word: str) -> Gpu | None:
        """The GPU of this UUID or PCI address."""
        by_uuid = next((gpu for gpu in self.gpus if gpu.uuid.lower() == word.lower()), None)
        if by_uuid is not None:
            return by_uuid
        try:
            address = PciAddress.parse(word)
        except ValueError:
            return None
        return next((gpu for gpu in self.gpus if gpu.address == address), None)

    def usable(self) -> tuple[Gpu, ...]:
        """Those that an engine can take as a whole."""
        return tuple(gpu for gpu in self.gpus if unusable(gpu) is None)


def table_of(facts: Facts) -> GpuTable:
    """The table of a host. PCI order, since an index is valid for this boot only."""
    ordered = tuple(sorted(facts.stable.gpus, key=lambda gpu: (gpu.address, gpu.uuid)))
    links = {_pair(link.a, link.b): link for link in facts.stable.gpu_links}
    return GpuTable(ordered, links, _missing(facts))


def _missing(facts: Facts) -> str | None:
    """What the PCI bus holds but no driver serves, in the driver's own words."""
    served = {gpu.address for gpu in facts.stable.gpus}
    lost = [card for card in facts.stable.accelerators if card.address not in served]
    lost = [card for card in lost if card.vendor in ("nvidia", "amd") and not card.integrated]
    if not lost:
        return None
    problems = [f"{one.vendor}: {one.problem}" for one in facts.stable.drivers if one.problem]
    where = ", ".join(str(card.address) for card in lost)
    why = "; ".join(problems) or f"kernel driver: {lost[0].driver or 'none'}"
    return f"the PCI bus has {len(lost)} more at {where} that no driver serves ({why})"


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a <= b else (b, a)


def unusable(gpu: Gpu) -> str | None:
    """Why an engine can not take this GPU as a whole, None when it can."""
    if gpu.integrated and gpu.vendor != "nvidia":
        return "it is part of the CPU and has no memory of its own"
    if gpu.vendor == "intel":
        return "Intel GPUs are not supported yet"
    if gpu.mig:
        return "it is in MIG mode, and MIG slices are not supported yet (`nvidia-smi -mig 0`)"
    return None


def matches(gpu: Gpu, selector: GpuSelector) -> bool:
    """Whether a GPU is what `{model: , node: }` asks for."""
    if selector.model is not None and selector.model.lower() not in (gpu.name or "").lower():
        return False
    return selector.node is None or gpu.numa_node == selector.node


def alike(gpus: Collection[Gpu]) -> bool:
    """Whether cards are of one kind: tensor parallel splits every layer evenly among them.

    Within 2 % of memory counts as the same (ECC, reserved memory).
    """
    names = {gpu.name for gpu in gpus}
    sizes = [gpu.memory_mib for gpu in gpus if gpu.memory_mib is not None]
    return len(names) <= 1 and (not sizes or min(sizes) >= 0.98 * max(sizes))


def groups(
    table: GpuTable, free: Sequence[Gpu], size: int, equal: bool, avoid: Mapping[str, int]
) -> list[tuple[Gpu, ...]]:
    """Groups of `size` free GPUs of one vendor, the best first; each in PCI order.

    equal: only cards of one kind. avoid: GPUs (UUID -> how much) better left to who has them.
    """
    found: list[tuple[Gpu, ...]] = []
    for vendor in sorted({gpu.vendor for gpu in free}):
        cards = [gpu for gpu in free if gpu.vendor == vendor]
        if len(cards) < size:
            continue
        if math.comb(len(cards), size) <= _MOST_GROUPS:
            found += itertools.combinations(cards, size)
        else:
            found += _grown(table, cards, size)
    if equal:
        found = [group for group in found if alike(group)]
    scores = {_key(group): _score(table, group, free, avoid) for group in found}
    return sorted(found, key=lambda group: scores[_key(group)])


def _key(group: Iterable[Gpu]) -> tuple[str, ...]:
    return tuple(gpu.uuid for gpu in group)


def _grown(table: GpuTable, cards: list[Gpu], size: int) -> list[tuple[Gpu, ...]]:
    """Where all combinations are too many: from each card, always the nearest one added."""
    found: dict[tuple[str, ...], tuple[Gpu, ...]] = {}
    for first in cards:
        group = [first]
        while len(group) < size:
            rest = [gpu for gpu in cards if gpu not in group]
            group.append(min(rest, key=lambda gpu: _distance(table, group, gpu)))
        ordered = tuple(sorted(group, key=lambda gpu: gpu.address))
        found[_key(ordered)] = ordered
    return list(found.values())


def _distance(table: GpuTable, group: list[Gpu], gpu: Gpu) -> Score:
    strange = sum(1 for one in group if not alike((one, gpu)))
    far = sum(1 for one in group if one.numa_node != gpu.numa_node)
    lone = sum(1 for one in group if nvlinks(table, one, gpu) == 0)
    return (strange, far, lone, sum(path_rank(table, one, gpu) for one in group))


def _score(
    table: GpuTable, group: tuple[Gpu, ...], free: Sequence[Gpu], avoid: Mapping[str, int]
) -> Score:
    """Smaller is better. Stability first, then one node, one kind, NVLink, path, memory, PCI."""
    pairs = list(itertools.combinations(group, 2))
    rest = [gpu for gpu in free if gpu not in group]
    torn = sum(1 for a in group for b in rest if nvlinks(table, a, b) > 0)
    nodes = {gpu.numa_node if gpu.numa_node is not None else gpu.uuid for gpu in group}
    ranks = [path_rank(table, a, b) for a, b in pairs]
    return (
        sum(avoid.get(gpu.uuid, 0) for gpu in group),
        len(nodes),
        0 if alike(group) else 1,
        sum(1 for a, b in pairs if nvlinks(table, a, b) == 0),
        -sum(nvlinks(table, a, b) for a, b in pairs),
        max(ranks, default=0),
        sum(ranks),
        -min(gpu.memory_mib or 0 for gpu in group),
        torn,
        *(table.gpus.index(gpu) for gpu in group),
    )


def nvlinks(table: GpuTable, a: Gpu, b: Gpu) -> int:
    """NVLinks between two GPUs; 0 also when nothing is known."""
    link = table.link(a, b)
    return (link.nvlinks or link.xgmi or 0) if link else 0


def path_rank(table: GpuTable, a: Gpu, b: Gpu) -> int:
    """0 (one PCIe switch) to 4 (across sockets, or unknown)."""
    link = table.link(a, b)
    return _PATHS.get(link.path or "", _FARTHEST) if link else _FARTHEST

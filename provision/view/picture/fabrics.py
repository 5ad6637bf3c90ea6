"""Links between GPUs beside the PCIe bus: through NVSwitches, each to each, or pair by pair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from provision.host.facts import Facts, Gpu

Word = Literal["NVLink", "XGMI"]
_MOST_LINKS = 18  # NVLinks of one GPU up to Blackwell: V100 6, A100 12, H100 and B200 18


@dataclass(frozen=True, slots=True)
class Fabric:
    """GPUs that are joined in one way. count: links of each member; of a mesh, of each pair."""

    kind: Literal["switch", "mesh", "pair"]
    word: Word
    members: tuple[str, ...]  # UUIDs in the order of the facts
    counts: tuple[int | None, ...]  # by member of a switch; one alone of a mesh and a pair

    @property
    def uniform(self) -> int | None:
        """The one count, where it is the same everywhere and known."""
        return self.counts[0] if len(set(self.counts)) == 1 else None


def fabrics(facts: Facts) -> tuple[Fabric, ...]:
    """All of them: switches first, then meshes, then pairs."""
    order = [gpu.uuid for gpu in facts.stable.gpus]
    nvlinks = {
        frozenset((one.a, one.b)): one.nvlinks for one in facts.stable.gpu_links if one.nvlinks
    }
    xgmi = {frozenset((one.a, one.b)): one.xgmi for one in facts.stable.gpu_links if one.xgmi}
    switched = _switched(facts.stable.gpus)
    rest = {pair: count for pair, count in nvlinks.items() if not pair <= set(switched.members)}
    found = [switched] if switched.members else []
    for fabric in (*_direct("NVLink", rest, order), *_direct("XGMI", xgmi, order)):
        found.append(_through_switch(fabric) if _is_too_many(fabric) else fabric)
    rank = {"switch": 0, "mesh": 1, "pair": 2}
    return tuple(sorted(found, key=lambda one: rank[one.kind]))


def _switched(gpus: Iterable[Gpu]) -> Fabric:
    counts = {
        gpu.uuid: sum(one.remote_kind == "switch" and one.active is True for one in gpu.nvlinks)
        for gpu in gpus
    }
    members = tuple(uuid for uuid, count in counts.items() if count)
    return Fabric("switch", "NVLink", members, tuple(counts[one] for one in members))


def _is_too_many(fabric: Fabric) -> bool:
    """`nvidia-smi topo -m` says NV18 between any two GPUs of eight: no GPU has 126 links.

    So where the far end of the links is not told, their number tells that they end in a switch.
    """
    if fabric.kind != "mesh" or fabric.word != "NVLink":
        return False
    return (fabric.counts[0] or 0) * (len(fabric.members) - 1) > _MOST_LINKS


def _through_switch(fabric: Fabric) -> Fabric:
    return Fabric("switch", "NVLink", fabric.members, fabric.counts * len(fabric.members))


def _direct(word: Word, links: dict[frozenset[str], int], order: list[str]) -> list[Fabric]:
    """Meshes (three and more GPUs, each joined to each by as many links), then what is left."""
    found: list[Fabric] = []
    left = {pair: count for pair, count in links.items() if len(pair) == 2}
    for count in sorted(set(left.values()), reverse=True):
        same = {pair for pair, number in left.items() if number == count}
        for members in _islands(same, order):
            pairs = {pair for pair in same if pair <= set(members)}
            if len(members) > 2 and len(pairs) == len(members) * (len(members) - 1) // 2:
                found.append(Fabric("mesh", word, tuple(members), (count,)))
                left = {pair: number for pair, number in left.items() if pair not in pairs}
    place = {uuid: at for at, uuid in enumerate(order)}
    ends = sorted(
        (tuple(sorted(pair, key=lambda one: place.get(one, -1))), count)
        for pair, count in left.items()
        if all(one in place for one in pair)
    )
    ends.sort(key=lambda one: [place[uuid] for uuid in one[0]])
    return [*found, *(Fabric("pair", word, pair, (count,)) for pair, count in ends)]


def _islands(pairs: set[frozenset[str]], order: list[str]) -> list[list[str]]:
    """GPUs that are joined somehow, together, in the order of the facts."""
    island: dict[str, set[str]] = {}
    for pair in pairs:
        joined = set(pair).union(*(island.get(one, set()) for one in pair))
        for one in joined:
            island[one] = joined
    found: list[list[str]] = []
    seen: set[str] = set()
    for uuid in order:
        if uuid in island and uuid not in seen:
            seen |= island[uuid]
            found.append([one for one in order if one in island[uuid]])
    return found

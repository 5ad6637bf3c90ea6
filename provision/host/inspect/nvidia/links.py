"""How each two NVIDIA GPUs are joined: the PCIe path, peer-to-peer, and NVLinks laid over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...facts import Gpu, GpuLink, NvLink
from ..gpus import Paths, Slot, slot
from .answers import NvmlGpu, NvmlPair
from .words import (
    FABRIC_COMPLETED,
    address,
    p2p_word,
    path_class,
    remote_kind,
)

_TO_GPU, _TO_NPU, _TO_SWITCH = 0, 1, 2
_NO_FABRIC = 0  # a GPU whose fabric needs no setting up: before Hopper, or without a switch


def gpu_links(
    gpus: Sequence[Gpu], raw: Sequence[NvmlGpu], pairs: Sequence[NvmlPair], paths: Paths
) -> tuple[GpuLink, ...]:
    """Every pair, in the order of gpus; raw: their answers, in the same order."""
    told = {frozenset((pair.a, pair.b)): pair for pair in pairs}
    known = frozenset(slot(gpu.address) for gpu in gpus)
    ends = [_ends(one, known) for one in raw]
    links: list[GpuLink] = []
    for at, gpu in enumerate(gpus):
        for other_at in range(at + 1, len(gpus)):
            other = gpus[other_at]
            pair = told.get(frozenset((raw[at].index, raw[other_at].index)))
            status = p2p_word(pair.p2p) if pair else None
            way = (slot(gpu.address), slot(other.address))
            links.append(
                GpuLink(
                    a=gpu.uuid,
                    b=other.uuid,
                    path=path_class(pair.ancestor if pair else None) or paths.get(way),
                    nvlinks=_count(pair, ends[at], ends[other_at], *way),
                    p2p=None if status is None else status == "OK",
                    p2p_status=status,
                )
            )
    return tuple(links)


def nvlinks(one: NvmlGpu, two: NvmlGpu, pair: NvmlPair | None = None) -> int | None:
    """NVLinks between two GPUs: direct ones, else those that both have to the NVSwitch fabric.

    None: not told. 0 behind a switch whose fabric is not set up: the links lead nowhere then.
    """
    first, second = address(one.bus), address(two.bus)
    if first is None or second is None:
        return None
    ways = (slot(first), slot(second))
    known = frozenset(ways)
    return _count(pair, _ends(one, known), _ends(two, known), *ways)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Where a GPU's active links lead: to GPUs by their slots, to switches, one knows not where."""

    told: bool
    unsure: bool  # whether some link is up is not told
    to_gpu: Counter[Slot]
    to_switch: int
    unknown: int
    fabric: bool | None  # set up; None: there is none to set up, or not told


def _ends(gpu: NvmlGpu, known: frozenset[Slot]) -> _Ends:
    to_gpu: Counter[Slot] = Counter()
    to_switch = unknown = 0
    for link in gpu.links or ():
        if not link.active or link.kind == _TO_NPU:
            continue
        end = address(link.remote)
        if link.kind == _TO_SWITCH:
            to_switch += 1
        elif end is not None and (link.kind == _TO_GPU or slot(end) in known):
            to_gpu[slot(end)] += 1
        else:
            unknown += 1
    unsure = any(link.active is None for link in gpu.links or ())
    return _Ends(gpu.links is not None, unsure, to_gpu, to_switch, unknown, _fabric_set_up(gpu))


def _fabric_set_up(gpu: NvmlGpu) -> bool | None:
    if gpu.fabric_state in (None, _NO_FABRIC):
        return None
    return gpu.fabric_state == FABRIC_COMPLETED and not gpu.fabric_status


def _count(pair: NvmlPair | None, one: _Ends, two: _Ends, here: Slot, there: Slot) -> int | None:
    if pair is not None and pair.nvlinks is not None:
        return pair.nvlinks
    direct = max(one.to_gpu[there], two.to_gpu[here])
    if direct:
        return direct
    if not one.told or not two.told:
        return None
    switched = min(one.to_switch, two.to_switch)
    if not switched and (one.unsure or two.unsure):
        return None
    # nvmlGpuP2PStatus_t over NVLink: 0 works, 6 unknown.
    status = None if pair is None or pair.nvlink in (None, 6) else pair.nvlink == 0
    if not switched and one.unknown and two.unknown:
        # An old driver tells no kind of the other end, and its address is no GPU of this host:
        # a switch when data goes over it.
        return 0 if status is False else min(one.unknown, two.unknown) if status else None
    if False in (one.fabric, two.fabric):
        return 0
    return 0 if status is False and None in (one.fabric, two.fabric) else switched


def own_links(gpu: NvmlGpu) -> tuple[NvLink, ...]:
    """A GPU's own links, by number."""
    return tuple(
        NvLink(
            link=one.link,
            active=one.active,
            version=one.version,
            remote_kind=remote_kind(one.kind),
            remote=address(one.remote),
        )
        for one in sorted(gpu.links or (), key=lambda one: one.link)
    )

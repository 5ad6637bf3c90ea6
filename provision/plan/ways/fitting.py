"""Fitting: what one split of a service takes on given GPUs, and the context that it gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from provision.host.facts import Gpu
from provision.models.memory.need import UNBOUNDED, Load, kv_tokens, need
from provision.models.memory.split import Split

from ..cost.links import Joint
from ..machine.gpus import GpuTable
from ..wording import gib
from .service import Service
from .way import MIB, Problem, Way

_USUAL_UTILIZATION = 0.90  # vLLM's own was so for years and is 0.92 since: always rendered
_MOST_UTILIZATION = 0.95  # taken by itself where 0.90 leaves too little; more starves the driver
_USEFUL_CONTEXT = 8192
_LEAST_CONTEXT = 4096  # below that the plan does not choose a context by itself
_LARGE_CARD, _LARGE_STEP = 70 * 1024, 8192  # MiB, tokens
_STEP = 256  # a chosen context is a multiple of it
_BUDGETED = ("vllm", "sglang")  # engines that take a share of the memory and fill it with cache


class Fitting:
    """Memory of one service on groups of GPUs."""

    def __init__(self, service: Service, table: GpuTable) -> None:
        self.service = service
        self.table = table

    def fitted(self, gpus: tuple[Gpu, ...], split: Split, joint: Joint) -> Way:
        """With the memory that it takes, and the context that it gets.

        Stages begin as even as the cards' memory is. Where one overflows (the last holds the head,
        a small card the same fixed costs as a large one) layers move to the stage with most room.
        """
        split = self._balanced(gpus, split)
        way = self._taken(gpus, split, joint)
        seen = {split.layers}
        while way.problem is not None and way.problem.rule == "memory" and split.pipeline > 1:
            moved = _one_moved(way, len(self.service.largest.weights.layers))
            if moved is None or moved in seen:
                break
            seen.add(moved)
            split = replace(split, layers=moved)
            way = self._taken(gpus, split, joint)
        return way

    def _taken(self, gpus: tuple[Gpu, ...], split: Split, joint: Joint) -> Way:
        if self.service.spec.engine in _BUDGETED:
            return self._budgeted(gpus, split, joint)
        wanted = need(self.service.models, self.service.load, split)
        room = tuple(self.table.room(gpu) for gpu in gpus)
        way = Way(split, gpus, joint, self.service.load, wanted, room)
        way = replace(way, claim=_with_error(way), kv_tokens=way.load.context * way.load.parallel)
        return replace(way, problem=_overflow(way))

    def _balanced(self, gpus: tuple[Gpu, ...], split: Split) -> Split:
        """Layers of each stage by the room of its smallest card, where the cards differ."""
        layers = len(self.service.largest.weights.layers)
        if split.pipeline == 1 or not layers:
            return split
        rooms = [
            min(self.table.room(gpu) or 0 for gpu in gpus[at : at + split.tensor])
            for at in range(0, len(gpus), split.tensor)
        ]
        if min(rooms) <= 0 or min(rooms) >= 0.98 * max(rooms):
            return split
        return replace(split, layers=_proportional(layers - split.offloaded, rooms))

    def _budgeted(self, gpus: tuple[Gpu, ...], split: Split, joint: Joint) -> Way:
        """vLLM: a share of the memory, filled with KV cache; one full request must fit."""
        given = self.service.spec.memory_utilization
        shares = [given] if given is not None else self._shares(gpus)
        way = None
        for share in shares:
            way = self._with_share(gpus, split, joint, share)
            if way.problem is None and not self._cramped(way):
                break
        assert way is not None  # there is at least one share
        if self.service.spec.share_gpus and given is None and way.problem is None:
            return self._smallest_share(way)
        return way

    def _shares(self, gpus: Sequence[Gpu]) -> list[float]:
        """Shares to try: the usual one, a larger one, and no more than others leave free."""
        free = [
            math.floor(100 * room / total) / 100
            for gpu in gpus
            if (room := self.table.room(gpu)) is not None and (total := self.table.total(gpu))
        ]
        most = max(0.01, min(free, default=1.0))
        return sorted({min(_USUAL_UTILIZATION, most), min(_MOST_UTILIZATION, most)})

    def _cramped(self, way: Way) -> bool:
        """Whether more memory would give a context that is chosen here a useful length."""
        most = min(_USEFUL_CONTEXT, self.service.trained_context() or _USEFUL_CONTEXT)
        return self.service.context_open and way.load.context < most

    def _with_share(self, gpus: tuple[Gpu, ...], split: Split, joint: Joint, share: float) -> Way:
        totals = [self.table.total(gpu) for gpu in gpus]
        room = tuple(None if total is None else int(total * share) for total in totals)
        load = self._load_within(gpus, split, room)
        wanted = need(self.service.models, load, split)
        way = Way(split, gpus, joint, load, wanted, room, utilization=share)
        way = replace(way, claim=tuple(one or 0 for one in room))
        problem = _overflow(way)
        free = [self.table.room(gpu) for gpu in gpus]
        if problem is None and any(
            f is not None and r is not None and f < r for f, r in zip(free, room, strict=True)
        ):
            least = min(one for one in free if one is not None)
            text = f"other programs leave {gib(least)} free, less than {share:.2f} of the card"
            problem = Problem("used-by-others", text)
        if problem is not None or None in room:
            return replace(way, problem=problem)
        tokens = kv_tokens(wanted, [(one or 0) * MIB for one in room], load.parallel)
        return replace(way, kv_tokens=tokens if tokens < UNBOUNDED else None)

    def _load_within(self, gpus: Sequence[Gpu], split: Split, room: Sequence[int | None]) -> Load:
        """The load with the largest context that fits, where the plan chooses it."""
        service = replace(self.service, load=self._load_on(gpus))
        if not service.context_open:
            return service.load
        trained = service.trained_context()
        least = min(_LEAST_CONTEXT, trained or _LEAST_CONTEXT)
        load = replace(service.load, context=least)
        if None in room or all(model.shape is None for model in service.models):
            return replace(load, context=min(trained or 8192, 8192))
        first = need(service.models, load, split)
        tokens = kv_tokens(first, [(one or 0) * MIB for one in room], 1)
        # what the estimate may be off by is kept back: the engine would refuse to start
        spare = max((one.spread // max(1, one.kv_bytes_per_token) for one in first.gpus), default=0)
        most = max(least, (tokens - spare) // _STEP * _STEP)
        return replace(load, context=min(most, trained) if trained else most)

    def _load_on(self, gpus: Sequence[Gpu]) -> Load:
        """vLLM reads prompts in larger steps on cards of 70 GiB or more, the A100 excepted
        (vllm/engine/arg_utils.py), which takes more memory for activations."""
        load = self.service.load
        large = all((self.table.total(gpu) or 0) >= _LARGE_CARD for gpu in gpus)
        small = any("A100" in (gpu.name or "") for gpu in gpus)
        if load.batch_tokens is not None or not large or small:
            return load
        return replace(load, batch_tokens=_LARGE_STEP)

    def _smallest_share(self, way: Way) -> Way:
        """For a GPU that others use too: what it needs, and no more."""
        service = self.service
        load = (
            way.load
            if service.spec.context
            else replace(way.load, context=min(way.load.context, 8192))
        )
        wanted = need(service.models, load, way.split)
        shares = [
            (one.bytes + one.error) / (total * MIB)
            for one, gpu in zip(wanted.gpus, way.gpus, strict=True)
            if (total := self.table.total(gpu))
        ]
        share = min(way.utilization or 1.0, -(-max(shares, default=0.0) * 100 // 1) / 100)
        smaller = self._with_share(way.gpus, way.split, way.joint, max(0.01, share))
        return smaller if smaller.problem is None else way

    def offloaded(self, gpus: tuple[Gpu, ...], split: Split, joint: Joint) -> Way | None:
        """The fewest layers in RAM with which the rest fits."""
        layers = len(self.service.largest.weights.layers)
        low, high = 1, layers - len(gpus)
        best = None
        while low <= high:
            middle = (low + high) // 2
            way = self.fitted(gpus, replace(split, offloaded=middle), joint)
            if way.problem is None and not way.tight:
                best, high = way, middle - 1
                if self._ram_short(way):
                    break  # the more stays in RAM, the less it fits there
            else:
                low = middle + 1
        return None if best is None or self._ram_short(best) else best

    def _ram_short(self, way: Way) -> bool:
        """Whether the host's memory does not hold what stays there."""
        most = self.table.shared_mib
        return way.need is not None and most is not None and way.need.ram_bytes > most * MIB


def _one_moved(way: Way, layers: int) -> tuple[int, ...] | None:
    """Layers of each stage with one moved from the fullest to the emptiest; None: no use."""
    split = way.split
    if not layers or None in way.room:
        return None
    over = [n - (room or 0) for n, room in zip(way.need_mib, way.room, strict=True)]
    stages = [
        max(over[at * split.tensor : (at + 1) * split.tensor]) for at in range(split.pipeline)
    ]
    now = list(split.stages(layers))
    fullest, emptiest = stages.index(max(stages)), stages.index(min(stages))
    if stages[emptiest] >= 0 or now[fullest] <= 1:
        return None
    now[fullest] -= 1
    now[emptiest] += 1
    return tuple(now)


def _with_error(way: Way) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(way.need_mib, way.error_mib, strict=True))


def _overflow(way: Way) -> Problem | None:
    """Where the need is more than the room, by the fullest GPU."""
    missing = [
        (need_mib - room, need_mib, room, gpu)
        for need_mib, room, gpu in zip(way.need_mib, way.room, way.gpus, strict=True)
        if room is not None and need_mib > room
    ]
    if not missing:
        return None
    _, needed, room, gpu = max(missing, key=lambda one: one[0])
    each = f" on one of {len(way.gpus)} GPUs" if len(way.gpus) > 1 else ""
    return Problem("memory", f"needs {gib(needed)}{each}, GPU {gpu.index} has {gib(room)} for it")


def _proportional(layers: int, rooms: Sequence[int]) -> tuple[int, ...]:
    """Layers by room, at least one each, by largest remainder."""
    whole = sum(rooms)
    shares = [max(1, layers * room // whole) for room in rooms]
    while sum(shares) < layers:
        behind = max(range(len(rooms)), key=lambda at: layers * rooms[at] / whole - shares[at])
        shares[behind] += 1
    while sum(shares) > layers:
        ahead = max(range(len(rooms)), key=lambda at: (shares[at], -rooms[at]))
        shares[ahead] -= 1
    return tuple(shares)

"""Offers: the groups of GPUs that could serve a wish, each with its best way and its price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provision.host.facts import Gpu

from ..machine.gpus import GpuTable
from ..machine.groups import groups
from ..packing.problem import Cost
from ..ways.merit import merit, merit_each
from ..ways.way import Way
from ..ways.weighing import Ways
from .wishes import Wish, fits

_MOST_LOSS = 1_000_000
_COARSE = 0.05


@dataclass(frozen=True, slots=True)
class Offer:
    """A group of GPUs and how it would be used. price: all of the cost but what is at stake for
    one instance alone (whether it moves)."""

    gpus: tuple[Gpu, ...]  # in PCI order
    way: Way
    price: Cost


def offers_for(
    wish: Wish, ways: Ways, table: GpuTable, avoid: Mapping[str, int], every_size: bool = False
) -> list[Offer]:
    """What this wish could take on an empty host, the cheapest first.

    avoid: GPUs (UUID -> how much) better left to who has them. every_size: also more GPUs than
    the model needs, where host.yaml leaves their number open and fewer were not to be had.
    """
    free = [gpu for gpu in table.usable() if fits(wish, gpu)]
    if wish.named:
        candidates = [wish.named]
    else:
        sizes = wish.sizes or (tuple(range(1, len(free) + 1)) if every_size else fewest(ways, free))
        candidates = [group for size in sizes for group in groups(table, free, size)]
    found = [(group, ways.best(group)) for group in candidates]
    working = [(group, way) for group, way in found if way.problem is None]
    return priced(working, wish, ways, table, avoid)


def priced(
    working: Sequence[tuple[tuple[Gpu, ...], Way]],
    wish: Wish,
    ways: Ways,
    table: GpuTable,
    avoid: Mapping[str, int],
) -> list[Offer]:
    """Offers by price: loss of merit in permille, then crossings, memory, torn NVLinks."""
    layout = ways.layout
    larger = 1 if ways.service.optimize == "memory" else -1  # the smallest card, or the largest
    in_ram = any(way.split.offloaded for _, way in working)
    judge = merit if wish.named or len(wish.sizes) == 1 or in_ram else merit_each
    best = max((judge(ways.service, way) for _, way in working), default=0.0)
    offers = [
        Offer(
            group,
            way,
            (
                sum(avoid.get(gpu.uuid, 0) for gpu in group),
                _loss(best, judge(ways.service, way), ways.service.optimize == "memory"),
                *layout.crossings(at),
                larger * min(table.total(gpu) or 0 for gpu in group),
                layout.torn(at),
            ),
        )
        for group, way in working
        for at in (layout.positions(group),)
    ]
    return sorted(offers, key=lambda one: (one.price, layout.positions(one.gpus)))


def fewest(ways: Ways, free: Sequence[Gpu]) -> tuple[int, ...]:
    """Numbers of GPUs worth a look where host.yaml leaves it open.

    One where one holds the model. Otherwise the fewest that hold it, and more up to the first
    number that tensor parallel can use (for throughput up to twice as many), since those may more
    than pay for themselves.
    """
    first: int | None = None
    for size in range(1, len(free) + 1):
        found = [ways.best(group) for group in ways.layout.likely(free, size)]
        works = [way for way in found if way.problem is None and not way.split.offloaded]
        if not works and first is None:
            continue
        first = first or size
        whole = any(way.split.pipeline == 1 for way in works)
        if first > 1 and ways.service.optimize == "throughput":
            whole = False  # more cards hold more context at a time: look at up to twice as many
        if whole or not ways.service.ability.tensor or size >= 2 * first:
            return tuple(range(first, size + 1))
    # Where layers stay in RAM, every further card helps.
    return tuple(range(first or 1, len(free) + 1))


def _loss(best: float, own: float, coarse: bool) -> int:
    """By how much more time this takes than the best of its offers, in permille.

    coarse: of memory, where a few permille between splits are no reason to take worse links.
    """
    if own <= 0:
        return 0 if best <= 0 else _MOST_LOSS
    loss = best / own - 1
    return 0 if coarse and loss < _COARSE else min(_MOST_LOSS, round(1000 * loss))

"""Board: what a placement is made from, and each wish as an item of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from provision.host.facts import Gpu

from ..machine.gpus import GpuTable
from ..packing.problem import Item, Option
from ..ways.weighing import Ways
from .offers import Offer, offers_for, priced
from .wishes import Wish, fits

_UNKNOWN_ROOM = 1 << 30  # MiB, for GPUs that do not tell their memory: nothing to check against


@dataclass(slots=True)
class Board:
    """What a placement is made from."""

    ways: Mapping[str, Ways]
    table: GpuTable
    today: Mapping[str, tuple[str, ...]]
    replan: bool
    avoid: Mapping[str, int]
    every_size: bool = False
    offers: dict[tuple[str, bool, tuple[int, ...]], list[Offer]] = field(default_factory=dict)
    rooms: dict[str, int] = field(default_factory=dict)

    def room(self, gpu: Gpu) -> int:
        """MiB of a GPU that instances may take."""
        if gpu.uuid not in self.rooms:
            room = self.table.room(gpu)
            self.rooms[gpu.uuid] = _UNKNOWN_ROOM if room is None else room
        return self.rooms[gpu.uuid]

    def offered(self, wish: Wish) -> list[Offer]:
        """The offers of a wish; those of a group's instances are the same."""
        key = (wish.group, self.every_size, wish.sizes)
        if key not in self.offers:
            ways = self.ways[wish.group]
            self.offers[key] = offers_for(wish, ways, self.table, self.avoid, self.every_size)
        return self._with_today(wish, self.offers[key])

    def _with_today(self, wish: Wish, offers: list[Offer]) -> list[Offer]:
        """And the GPUs that it has today, where they would still do."""
        uuids = set(self.today.get(wish.name, ()))
        if not uuids or wish.named or any(uuids == uuids_of(one.gpus) for one in offers):
            return offers
        group = tuple(gpu for gpu in self.table.usable() if gpu.uuid in uuids)
        if len(group) != len(uuids) or not all(fits(wish, gpu) for gpu in group):
            return offers
        if wish.sizes and len(group) not in wish.sizes and not wish.fill:
            return offers
        ways = self.ways[wish.group]
        way = ways.best(group)
        if way.problem is not None:
            return offers
        both = [(one.gpus, one.way) for one in offers] + [(group, way)]
        return priced(both, wish, ways, self.table, self.avoid)


def item_of(wish: Wish, offers: Sequence[Offer], index: Mapping[str, int], board: Board) -> Item:
    today = set(board.today.get(wish.name, ()))
    options = []
    for offer in offers:
        moves = int(bool(today) and today != uuids_of(offer.gpus))
        # Where everything may move, what is there today is only the last word among equals.
        price = (*offer.price, moves) if board.replan else (moves, *offer.price)
        options.append(
            Option(tuple(index[gpu.uuid] for gpu in offer.gpus), _sizes(offer, wish, board), price)
        )
    ram = offers[0].way.need.ram_bytes >> 20 if offers and offers[0].way.need else 0
    load = dict.fromkeys(index.values(), ram)
    return Item(wish.name, tuple(options), not wish.shares, load)


def _sizes(offer: Offer, wish: Wish, board: Board) -> tuple[int, ...]:
    """MiB that it takes of each GPU, in PCI order. Alone on a card, an error of the estimate harms
    nobody else."""
    way = offer.way
    order = [way.gpus.index(gpu) for gpu in offer.gpus] if len(way.gpus) > 1 else [0]
    sizes = tuple(way.claim[at] for at in order)
    if wish.shares:
        return sizes
    rooms = (board.room(gpu) for gpu in offer.gpus)
    return tuple(min(size, room) for size, room in zip(sizes, rooms, strict=True))


def uuids_of(gpus: Sequence[Gpu]) -> set[str]:
    return {gpu.uuid for gpu in gpus}

"""Random hosts and instances for properties of a placement, and the answer by trying everything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from provision.host.facts import Facts, Placed
from provision.plan.placement.offers import Offer, offers_for
from provision.plan.placement.wishes import Wish

from .machines import (
    L40S,
    RTX_3060,
    RTX_3090,
    RTX_4090,
    Slot,
    Weighed,
    machine,
    used_by_others,
    with_volatile,
)

ENGINES = ("llama-server", "ollama", "vllm")
MODELS = {"llama-server": "/srv/own.gguf", "ollama": "own:latest", "vllm": "own/model"}
_UNKNOWN = 1 << 40  # MiB


def given_model(gib: float, engine: str = "llama-server", **more: Any) -> dict[str, Any]:
    """An instance of a model whose memory host.yaml gives."""
    memory = {"weights_gib": gib, "kv_cache_gib": 0.5, "layers": 32, "heads": 32}
    return {"engine": engine, "model": MODELS[engine], "memory": memory, **more}


@st.composite
def hosts(draw: st.DrawFn, most: int = 5, others: bool = False, least: int = 2) -> Facts:
    """`least` to `most` GPUs of mixed kinds on up to two nodes, some joined by NVLink."""
    nodes = draw(st.integers(1, 2))
    kinds = st.sampled_from([RTX_3090, RTX_3090, RTX_3060, RTX_4090, L40S])
    cards = draw(
        st.lists(st.tuples(kinds, st.integers(0, nodes - 1)), min_size=least, max_size=most)
    )
    slots = [
        Slot(card, f"0000:{0x10 + 7 * at:02x}:00.0", node) for at, (card, node) in enumerate(cards)
    ]
    pairs = [(a, b) for b in range(len(slots)) for a in range(b)]
    joined = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2)) if pairs else []
    facts = machine(
        slots,
        nodes=nodes,
        paths=draw(st.sampled_from(["PIX", "PHB", "NODE"])),
        nvlinks=dict.fromkeys(joined, 4),
    )
    if not others:
        return facts
    used = st.dictionaries(st.integers(0, len(slots) - 1), st.integers(100, 9000), max_size=2)
    return used_by_others(facts, draw(used))


@st.composite
def instances(draw: st.DrawFn, sharing: bool | None = None) -> dict[str, Any]:
    """One that wants some number of GPUs or leaves it open, alone or beside others."""
    gpus = draw(st.sampled_from(["auto", "auto", "auto", 1, 2, {"node": 0}, {"model": "3090"}]))
    shares = draw(st.booleans()) if sharing is None else sharing
    return given_model(
        draw(st.sampled_from([2, 5, 9, 14, 30])),
        draw(st.sampled_from(ENGINES)),
        gpus=gpus,
        share_gpus=shares,
        **draw(st.sampled_from([{}, {}, {"optimize": "throughput"}, {"optimize": "memory"}])),
    )


def specs(
    most: int = 4, sharing: bool | None = None
) -> st.SearchStrategy[dict[str, dict[str, Any]]]:
    return st.dictionaries(st.sampled_from("abcdef"), instances(sharing), min_size=1, max_size=most)


@st.composite
def running_somewhere(
    draw: st.DrawFn, weighed: Weighed, facts: Facts, offers_of: Sequence[Sequence[Offer]]
) -> Facts:
    """The host on which some of the wishes run already, on any of these offers of theirs."""
    placed: list[Placed] = []
    for wish, offers in zip(weighed.wishes, offers_of, strict=True):
        runs = draw(st.booleans())
        if offers and runs:
            offer = draw(st.sampled_from(offers))
            placed.append(placed_on(wish.name, [gpu.uuid for gpu in offer.gpus]))
    return with_volatile(facts, placed=tuple(placed))


def placed_on(name: str, uuids: Sequence[str]) -> Placed:
    return Placed(instance=name, engine="x", unit=f"x@{name}.service", gpus=tuple(uuids))


def every_offer(wish: Wish, weighed: Weighed) -> list[Offer]:
    return offers_for(wish, weighed.ways[wish.group], weighed.table, {}, every_size=True)


def fewest_offers(wish: Wish, weighed: Weighed) -> list[Offer]:
    return offers_for(wish, weighed.ways[wish.group], weighed.table, {})


@dataclass(frozen=True, slots=True)
class Choices:
    """All that each wish may take, each with its cost."""

    wishes: Sequence[Wish]
    offers: Sequence[Sequence[tuple[Offer, tuple[int, ...]]]]
    rooms: Mapping[str, int]

    def least(self) -> tuple[int, ...] | None:
        """The least total cost of a choice that fits, by trying all; None where none does."""
        best: list[tuple[int, ...]] = []

        def add(at: int, left: dict[str, int | None], cost: tuple[int, ...]) -> None:
            if at == len(self.wishes):
                best[:] = [min([*best, cost])]
                return
            for offer, price in self.offers[at]:
                rest = _taken(left, offer, self.wishes[at].shares, self.rooms)
                if rest is not None:
                    total = tuple(map(sum, zip(cost, price, strict=True))) if cost else price
                    add(at + 1, rest, total)

        add(0, dict.fromkeys(self.rooms), ())
        return best[0] if best else None

    def count(self) -> int:
        """How many choices there are to try."""
        number = 1
        for one in self.offers:
            number *= len(one)
        return number


def _taken(
    left: Mapping[str, int | None], offer: Offer, shares: bool, rooms: Mapping[str, int]
) -> dict[str, int | None] | None:
    """What is left after this offer (None: nobody is there yet), None where it does not fit.

    A GPU that one has alone has less than nothing left.
    """
    rest = dict(left)
    for gpu, claim in zip(offer.way.gpus, offer.way.claim, strict=True):
        before = left[gpu.uuid]
        if not shares:
            if before is not None:
                return None
            rest[gpu.uuid] = -1
            continue
        room = rooms[gpu.uuid] if before is None else before
        if room < claim:
            return None
        rest[gpu.uuid] = room - claim
    return rest


def choices(
    weighed: Weighed, facts: Facts, offers: Sequence[Sequence[Offer]], replan: bool = False
) -> Choices:
    """Costs: what moves and then the prices, or what moves last where everything may move."""
    today = {one.instance: set(one.gpus) for one in facts.volatile.placed}
    priced = []
    for wish, of_wish in zip(weighed.wishes, offers, strict=True):
        known = today.get(wish.name)
        costs = []
        for one in of_wish:
            moves = int(bool(known) and known != {gpu.uuid for gpu in one.gpus})
            costs.append((one, (*one.price, moves) if replan else (moves, *one.price)))
        priced.append(costs)
    rooms = {gpu.uuid: weighed.table.room(gpu) for gpu in weighed.table.usable()}
    known_rooms = {uuid: _UNKNOWN if room is None else room for uuid, room in rooms.items()}
    return Choices(weighed.wishes, priced, known_rooms)


def told_otherwise(facts: Facts, order: Sequence[int]) -> Facts:
    """The same host whose GPU links are told in another order, some the other way round."""
    links = facts.stable.gpu_links
    turned = [
        dataclasses.replace(links[at], a=links[at].b, b=links[at].a) if at % 2 else links[at]
        for at in order
    ]
    return dataclasses.replace(
        facts, stable=dataclasses.replace(facts.stable, gpu_links=tuple(turned))
    )

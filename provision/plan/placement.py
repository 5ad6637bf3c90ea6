"""Which GPUs each instance gets: named ones first, then today's, then big groups before small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from provision.host.facts import Facts, Gpu

from .complaints import Complaints
from .gpus import GpuTable, alike, groups, unusable
from .shortage import explain_shortage
from .wishes import Wish, fits

_MOST_STEPS = 5_000  # of the search; far more than a host needs that has a solution


@dataclass(frozen=True, slots=True)
class Placement:
    """Wishes that have their GPUs (per-gpu groups counted out), in the order of the spec.

    kept: names of instances that stay on the GPUs they are on today. moved: those that could not,
    with what they held.
    """

    wishes: tuple[Wish, ...]
    gpus: Mapping[str, tuple[Gpu, ...]]
    kept: frozenset[str] = frozenset()
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def place_gpus(
    wishes: Sequence[Wish], table: GpuTable, facts: Facts, complaints: Complaints
) -> Placement | None:
    """Give every wish its GPUs; None, with an error for each wish that cannot be met.

    A GPU serves one instance. What runs today stays where it is unless another wish could not be
    met at all otherwise; nothing moves for a better place.
    """
    today = {one.instance: one.gpus for one in facts.volatile.placed}
    taken = _named(wishes, complaints)
    if taken is None:
        return None
    kept = _kept(wishes, taken, today, table)
    counted = [wish for wish in wishes if not wish.named and not wish.per_gpu and wish.size]
    found = _search(_waiting(counted, kept), {**taken, **kept}, table, wishes, today)
    if found is None and kept:
        found = _search(_waiting(counted, {}), dict(taken), table, wishes, today)
    if found is None:
        explain_shortage(_ordered(counted), taken, wishes, table, complaints)
        return None
    return _with_rest(wishes, found, today, table, complaints)


def _named(wishes: Sequence[Wish], complaints: Complaints) -> dict[str, tuple[Gpu, ...]] | None:
    """Explicit claims; two instances on one card are an error for this version."""
    holder: dict[str, str] = {}
    taken: dict[str, tuple[Gpu, ...]] = {}
    good = True
    for wish in wishes:
        for gpu in wish.named:
            if gpu.uuid in holder:
                good = False
                complaints.error(
                    "gpu-taken",
                    f"{wish.name}: GPU {gpu.index} ({gpu.uuid}) is held by {holder[gpu.uuid]}; "
                    "a GPU serves one instance",
                    *("instances", wish.group, "gpus"),
                    hint="ollama serves several models from one instance: `models: [...]`",
                )
            holder.setdefault(gpu.uuid, wish.name)
        if wish.named:
            taken[wish.name] = wish.named
    return taken if good else None


def _kept(
    wishes: Sequence[Wish],
    taken: Mapping[str, tuple[Gpu, ...]],
    today: Mapping[str, tuple[str, ...]],
    table: GpuTable,
) -> dict[str, tuple[Gpu, ...]]:
    """Placements of today that are still legal for the same name and number of GPUs."""
    busy = {gpu.uuid for cards in taken.values() for gpu in cards}
    kept: dict[str, tuple[Gpu, ...]] = {}
    for wish in wishes:
        if wish.named or wish.per_gpu or not wish.size:
            continue
        cards = _still_legal(wish, today.get(wish.name, ()), table)
        if cards and not busy & {gpu.uuid for gpu in cards}:
            kept[wish.name] = cards
            busy |= {gpu.uuid for gpu in cards}
    return kept


def _still_legal(wish: Wish, uuids: Sequence[str], table: GpuTable) -> tuple[Gpu, ...] | None:
    cards = tuple(gpu for gpu in table.gpus if gpu.uuid in uuids)
    if len(cards) != wish.size or len(uuids) != wish.size:
        return None
    if any(unusable(gpu) is not None or not fits(wish, gpu) for gpu in cards):
        return None
    if len({gpu.vendor for gpu in cards}) > 1 or (wish.equal and not alike(cards)):
        return None
    return cards


def _waiting(counted: Sequence[Wish], kept: Mapping[str, object]) -> list[Wish]:
    return [wish for wish in _ordered(counted) if wish.name not in kept]


def _ordered(wishes: Sequence[Wish]) -> list[Wish]:
    """Selectors before counts (they are claims too), big before small, then the spec's order."""
    return sorted(
        wishes,
        key=lambda one: (one.selector is None, -one.size, not one.equal, one.order, one.number),
    )


def _search(
    waiting: Sequence[Wish],
    taken: Mapping[str, tuple[Gpu, ...]],
    table: GpuTable,
    wishes: Sequence[Wish],
    today: Mapping[str, tuple[str, ...]],
) -> dict[str, tuple[Gpu, ...]] | None:
    """The first complete choice, each wish trying its best groups first; None when there is none.

    Going back matters only where cards differ: a count that took the one card a selector needs.
    """
    avoid = _held_by_rest(wishes, today)
    steps = 0
    held = sum(len(cards) for cards in taken.values())
    if held + sum(wish.size for wish in waiting) > len(table.usable()):
        return None

    def place(at: int, chosen: dict[str, tuple[Gpu, ...]]) -> dict[str, tuple[Gpu, ...]] | None:
        nonlocal steps
        if at == len(waiting):
            return chosen
        wish = waiting[at]
        for group in candidates(wish, chosen, table, avoid):
            steps += 1
            if steps > _MOST_STEPS:
                return None
            found = place(at + 1, {**chosen, wish.name: group})
            if found is not None:
                return found
        return None

    return place(0, dict(taken))


def candidates(
    wish: Wish,
    chosen: Mapping[str, tuple[Gpu, ...]],
    table: GpuTable,
    avoid: Mapping[str, int],
) -> list[tuple[Gpu, ...]]:
    """Groups that this wish could take, the best first."""
    busy = {gpu.uuid for cards in chosen.values() for gpu in cards}
    free = [gpu for gpu in table.usable() if gpu.uuid not in busy and fits(wish, gpu)]
    return groups(table, free, wish.size, wish.equal, avoid)


def _held_by_rest(wishes: Sequence[Wish], today: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """GPUs that a per-gpu group runs on today -> how much better they are left alone.

    A new instance takes the card of the highest number, so that chat.0 to chat.N stay.
    """
    groups_of_rest = {wish.group for wish in wishes if wish.per_gpu}
    held: dict[str, int] = {}
    highest = max((_number(name) for name in today), default=0)
    for name, uuids in today.items():
        if name.rpartition(".")[0] in groups_of_rest:
            held.update(dict.fromkeys(uuids, 1 + highest - _number(name)))
    return held


def _number(name: str) -> int:
    text = name.rpartition(".")[2]
    return int(text) if text.isdigit() and text.isascii() else 0


def _with_rest(
    wishes: Sequence[Wish],
    found: dict[str, tuple[Gpu, ...]],
    today: Mapping[str, tuple[str, ...]],
    table: GpuTable,
    complaints: Complaints,
) -> Placement | None:
    """Count out the per-gpu groups over the GPUs that are left."""
    result: list[Wish] = []
    gpus = dict(found)
    for wish in wishes:
        if not wish.per_gpu:
            result.append(wish)
            gpus.setdefault(wish.name, ())
            continue
        busy = {gpu.uuid for cards in gpus.values() for gpu in cards}
        free = [gpu for gpu in table.usable() if gpu.uuid not in busy and fits(wish, gpu)]
        if not free:
            explain_shortage([wish], gpus, wishes, table, complaints)
            return None
        for number, gpu in enumerate(_numbered(wish.group, free, today)):
            name = f"{wish.group}.{number}"
            result.append(replace(wish, name=name, number=number, per_gpu=False))
            gpus[name] = (gpu,)
    names = [wish.name for wish in result]
    before = {name: today[name] for name in names if today.get(name)}
    same = {name for name in before if sorted(before[name]) == _uuids(gpus[name])}
    moved = {name: before[name] for name in before if name not in same}
    return Placement(tuple(result), {n: gpus[n] for n in names}, frozenset(same), moved)


def _uuids(gpus: Sequence[Gpu]) -> list[str]:
    return sorted(gpu.uuid for gpu in gpus)


def _numbered(group: str, free: Sequence[Gpu], today: Mapping[str, tuple[str, ...]]) -> list[Gpu]:
    """The free GPUs by number: each number keeps today's card, the others follow in PCI order."""
    chosen: dict[int, Gpu] = {}
    for number in range(len(free)):
        held = today.get(f"{group}.{number}", ())
        gpu = next((one for one in free if (one.uuid,) == tuple(held)), None)
        if gpu is not None and gpu not in chosen.values():
            chosen[number] = gpu
    rest = iter(gpu for gpu in free if gpu not in chosen.values())
    return [chosen[number] if number in chosen else next(rest) for number in range(len(free))]

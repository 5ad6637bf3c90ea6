"""Which GPUs each instance gets: all of them together, at the least cost, what runs stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from provision.host.facts import Facts, Gpu

from ..complaints import Complaints
from ..machine.gpus import GpuTable
from ..packing.alike import alike_bins
from ..packing.order import in_bin_order
from ..packing.problem import Problem
from ..packing.search import solve
from ..ways.way import Way
from ..ways.weighing import Ways
from ..why.shortage import explain_shortage
from .board import Board, item_of, uuids_of
from .offers import Offer
from .rest import check_ram, counted_out, cpu_way, held_by_rest, running_copies
from .wishes import Wish

_MOST_COPIES = 64


@dataclass(frozen=True, slots=True)
class Placement:
    """Wishes that have their GPUs (per-gpu and auto groups counted out), in the order of the spec.

    gpus: in rank order. ways: how they are used. kept: names of instances that stay on the GPUs
    that they are on today. moved: those that do not, with what they held. proven: no placement
    costs less.
    """

    wishes: tuple[Wish, ...]
    gpus: Mapping[str, tuple[Gpu, ...]]
    ways: Mapping[str, Way]
    kept: frozenset[str] = frozenset()
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    proven: bool = True


_Found = tuple[dict[str, Offer], bool]


def place_gpus(
    wishes: Sequence[Wish],
    ways: Mapping[str, Ways],
    table: GpuTable,
    facts: Facts,
    complaints: Complaints,
    replan: bool = False,
) -> Placement | None:
    """Give every wish its GPUs; None, with an error for each wish that cannot be met.

    What runs today stays where it is unless another wish could not be met at all otherwise;
    nothing moves for a better place, unless replan asks for it.
    """
    today = {one.instance: one.gpus for one in facts.volatile.placed}
    board = Board(ways, table, today, replan, held_by_rest(wishes, today))
    wanted = [
        copy
        for wish in wishes
        if not wish.per_gpu and not wish.on_cpu
        for copy in running_copies(_with_size(wish, board), today)
    ]
    found = _solved(wanted, board)
    while found is None and any(wish.fill and wish.number for wish in wanted):
        last = max((wish for wish in wanted if wish.fill), key=lambda wish: wish.number)
        wanted = [wish for wish in wanted if wish is not last]
        found = _solved(wanted, board)
    if any(not wish.sizes and not wish.named for wish in wanted):
        found = _with_any_size(wanted, found, board)
    if found is None:
        explain_shortage(wanted, ways, table, complaints)
        return None
    wanted, chosen, proven = _filled(wanted, found, board)
    return _whole(wishes, wanted, chosen, proven, board, complaints)


def _with_any_size(wanted: Sequence[Wish], found: _Found | None, board: Board) -> _Found | None:
    """The same with more GPUs than are needed, where with the fewest there is no way, or only one
    that moves what runs."""
    if found is not None and (board.replan or not _moves(found[0], board)):
        return found
    board.every_size = True
    other = _solved(wanted, board)
    if other is None or (found and _moves(other[0], board) >= _moves(found[0], board)):
        board.every_size = False
        return found
    return other


def _moves(chosen: Mapping[str, Offer], board: Board) -> int:
    """How many instances would leave the GPUs that they run on."""
    return sum(
        1
        for name, offer in chosen.items()
        if board.today.get(name) and set(board.today[name]) != uuids_of(offer.gpus)
    )


def _with_size(wish: Wish, board: Board) -> Wish:
    """Copies of `replicas: auto` are all of the size that serves best for each GPU."""
    offers = board.offered(wish) if wish.fill and not wish.sizes else []
    return replace(wish, sizes=(len(offers[0].gpus),)) if offers else wish


def _solved(wanted: Sequence[Wish], board: Board) -> _Found | None:
    """An offer for each wish, all together at the least cost."""
    bins = board.table.usable()
    index = {gpu.uuid: at for at, gpu in enumerate(bins)}
    offers = [board.offered(wish) for wish in wanted]
    items = tuple(
        item_of(wish, of_wish, index, board) for wish, of_wish in zip(wanted, offers, strict=True)
    )
    problem = Problem(
        capacity=tuple(board.room(gpu) for gpu in bins),
        items=items,
        areas=tuple(-1 if gpu.numa_node is None else gpu.numa_node for gpu in bins),
    )
    alike = alike_bins(problem)
    solution = solve(replace(problem, alike=alike))
    if solution is None:
        return None
    bins_of = in_bin_order(
        [items[at].options[one].bins for at, one in enumerate(solution.choice)], alike
    )
    chosen = {
        wish.name: next(
            offer
            for option, offer in zip(item.options, of_wish, strict=True)
            if option.bins == where
        )
        for wish, item, of_wish, where in zip(wanted, items, offers, bins_of, strict=True)
    }
    return chosen, solution.proven


def _filled(
    wanted: Sequence[Wish], found: _Found, board: Board
) -> tuple[list[Wish], dict[str, Offer], bool]:
    """With copies added to the groups of `replicas: auto`, in turn, while they fit."""
    wishes, best = list(wanted), found
    growing = [wish for wish in wanted if wish.fill and not wish.number]
    while growing:
        for wish in list(growing):
            count = sum(1 for one in wishes if one.group == wish.group)
            copy = replace(wish, name=f"{wish.group}.{count}", number=count)
            more = sorted([*wishes, copy], key=lambda one: (one.order, one.number))
            again = _solved(more, board) if count < _MOST_COPIES else None
            moves = again is not None and _moves(again[0], board) > _moves(best[0], board)
            if again is None or (moves and not board.replan):
                growing.remove(wish)
            else:
                wishes, best = more, again
    return wishes, best[0], best[1]


def _whole(
    wishes: Sequence[Wish],
    placed: Sequence[Wish],
    chosen: Mapping[str, Offer],
    proven: bool,
    board: Board,
    complaints: Complaints,
) -> Placement | None:
    """Together with instances on the CPU and per-gpu groups, which take the GPUs that are left."""
    result: list[Wish] = []
    ways: dict[str, Way] = {name: offer.way for name, offer in chosen.items()}
    for wish in wishes:
        if wish.on_cpu:
            ways[wish.name] = cpu_way(board.ways[wish.group])
            result.append(wish)
        elif not wish.per_gpu:
            result += [one for one in placed if one.group == wish.group and one not in result]
        else:
            counted = counted_out(wish, ways, board.ways[wish.group], board.today)
            if not counted:
                busy = {gpu.uuid: name for name, way in ways.items() for gpu in way.gpus}
                explain_shortage([wish], board.ways, board.table, complaints, busy)
                return None
            ways |= counted
            result += [
                replace(wish, name=name, number=number, per_gpu=False)
                for number, name in enumerate(counted)
            ]
    check_ram(ways, board.table, complaints)
    names = [wish.name for wish in result]
    before = {name: board.today[name] for name in names if board.today.get(name)}
    same = {name for name in before if set(before[name]) == uuids_of(ways[name].gpus)}
    return Placement(
        wishes=tuple(result),
        gpus={name: ways[name].gpus for name in names},
        ways={name: ways[name] for name in names},
        kept=frozenset(same),
        moved={name: before[name] for name in before if name not in same},
        proven=proven,
    )

"""The search against trying everything, on random problems."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provision.plan.packing.alike import alike_bins
from provision.plan.packing.problem import Item, Option, Problem
from provision.plan.packing.search import search, solve

from .packing_problems import cheapest_of_all, check, groups, option, orders

MOST = 20_000  # combinations to be tried


@st.composite
def odd_options(draw: st.DrawFn, bins: int, length: int) -> tuple[Option, ...]:
    """Any bins, sizes that differ from bin to bin, costs below 0, options that beat others."""
    found = []
    for _ in range(draw(st.integers(1, 5))):
        group = draw(st.sets(st.integers(0, bins - 1), max_size=min(3, bins)))
        sizes = tuple(draw(st.integers(0, 6)) for _ in group)
        cost = tuple(draw(st.integers(-2, 3)) for _ in range(length))
        found.append(Option(tuple(sorted(group)), sizes, cost))
    return tuple(found)


@st.composite
def odd_problems(draw: st.DrawFn) -> Problem:
    bins = draw(st.integers(1, 8))
    length = draw(st.integers(0, 3))
    capacity = tuple(draw(st.sampled_from((10, 10, 10, 7, 0))) for _ in range(bins))
    areas = tuple(draw(st.integers(0, 2)) for _ in range(bins)) if draw(st.booleans()) else ()
    items: list[Item] = []
    for _ in range(draw(st.integers(1, 4))):
        options = draw(odd_options(bins, length))
        alone = draw(st.booleans())
        load = {b: draw(st.integers(0, 5)) for b in range(bins)}
        for _ in range(draw(st.integers(1, 3))):
            items.append(Item(f"i{len(items)}", options, alone, load))
    items = items[:8]
    assume(prod(len(item.options) for item in items) <= MOST)
    return Problem(capacity, tuple(items), areas)


@st.composite
def machines(draw: st.DrawFn) -> Problem:
    """Sockets and linked pairs; instances that run somewhere already, replicas, shared GPUs."""
    bins = draw(st.sampled_from((2, 4, 4, 6, 8)))
    capacity = draw(st.sampled_from(((24,) * bins, tuple(24 + 8 * (b % 2) for b in range(bins)))))
    items: list[Item] = []
    count = draw(st.integers(1, 8))
    while len(items) < count:
        width = draw(st.sampled_from((1, 1, 2, 4)))
        size = draw(st.integers(5, 24))
        alone = draw(st.booleans())
        kept = draw(st.none() | st.permutations(range(bins)))
        place = None if kept is None else sorted(kept[:width])
        joined = draw(st.sampled_from((1, 2)))
        options = groups(bins, min(width, bins), size, place, joined)
        for at in range(draw(st.sampled_from((1, 1, 2)))):
            load = dict.fromkeys(range(bins), size)
            items.append(Item(f"m{len(items)}.{at}", options, alone, load))
        if prod(len(item.options) for item in items) > MOST:
            items.pop()
            break
    assume(items)
    return Problem(capacity, tuple(items), tuple(b * 2 // bins for b in range(bins)))


def agree(problem: Problem) -> None:
    best, found = cheapest_of_all(problem), search(problem)
    assert found.proven
    assert (found.solution is None) == (best is None)
    if best is not None and found.solution is not None:
        check(problem, found.solution)
        assert found.solution.proven
        assert found.solution.balanced
        assert (found.solution.cost, found.solution.imbalance) == best


@settings(max_examples=250, deadline=None)
@given(odd_problems())
def test_odd_problems(problem: Problem) -> None:
    agree(problem)
    agree(replace(problem, alike=alike_bins(problem)))


@settings(max_examples=200, deadline=None)
@given(machines())
def test_machines(problem: Problem) -> None:
    agree(problem)
    agree(replace(problem, alike=alike_bins(problem)))


@settings(max_examples=200, deadline=None)
@given(machines() | odd_problems(), st.integers(0, 400))
def test_few_steps_claim_no_more_than_is_so(problem: Problem, steps: int) -> None:
    best, found = cheapest_of_all(problem), search(problem, steps)
    if found.solution is None:
        assert best is None or not found.proven
        return
    assert best is not None
    check(problem, found.solution)
    assert found.solution.proven == found.proven
    if found.proven:
        assert found.solution.cost == best[0]
    if found.solution.balanced:
        assert (found.solution.cost, found.solution.imbalance) == best


def test_every_number_of_steps_on_one_machine() -> None:
    """Mending looks through a few items completely; that is no proof for all of them. Equal items
    are not neighbours here, as the search has them."""
    even = dict.fromkeys(range(6), 5)
    more = dict.fromkeys(range(6), 6)
    single = dict.fromkeys(range(6), 12)
    pair = Item("pair", groups(6, 2, 5, joined=1), True, even)
    items = (
        pair,
        Item("shared", groups(6, 2, 6), False, more),
        replace(pair, name="pair.1"),
        Item("single", groups(6, 1, 12), False, single),
    )
    problem = Problem((24,) * 6, items, (0, 0, 0, 1, 1, 1))
    best = cheapest_of_all(problem)
    assert best is not None
    for steps in range(400):
        found = search(problem, steps)
        if found.solution is not None:
            check(problem, found.solution)
            assert not found.proven or found.solution.cost == best[0], steps
            figures = found.solution.cost, found.solution.imbalance
            assert not found.solution.balanced or figures == best, steps


@settings(max_examples=60, deadline=None)
@given(machines())
def test_the_order_of_the_items_changes_nothing(problem: Problem) -> None:
    figures = {(s.cost, s.imbalance) for one in orders(problem) if (s := solve(one)) is not None}
    assert len(figures) <= 1


@st.composite
def changes(draw: st.DrawFn) -> tuple[Problem, Problem]:
    """Instances that run where they are best, and the same with one more, one less, one larger."""
    bins = draw(st.integers(3, 5))
    sizes = draw(st.lists(st.integers(3, 20), min_size=2, max_size=5))
    items = tuple(
        Item(f"i{at}", tuple(option((b,), size, 0) for b in range(bins)), size > 16)
        for at, size in enumerate(sizes)
    )
    before = Problem((20,) * bins, items)
    placed = solve(before)
    assume(placed is not None)
    assert placed is not None
    kept = [
        replace(
            item,
            options=tuple(
                replace(one, cost=(int(at != chosen),)) for at, one in enumerate(item.options)
            ),
        )
        for item, chosen in zip(items, placed.choice, strict=True)
    ]
    what = draw(st.sampled_from(("add", "remove", "grow")))
    if what == "remove":
        kept.pop(draw(st.integers(0, len(kept) - 1)))
    elif what == "add":
        size = draw(st.integers(3, 20))
        new = tuple(option((b,), size, 0) for b in range(bins))
        kept.insert(draw(st.integers(0, len(kept))), Item("new", new, draw(st.booleans())))
    else:
        at = draw(st.integers(0, len(kept) - 1))
        size = draw(st.integers(3, 20))
        larger = tuple(replace(one, sizes=(size,)) for one in kept[at].options)
        kept[at] = replace(kept[at], options=larger)
    return before, Problem(before.capacity, tuple(kept))


@settings(max_examples=200, deadline=None)
@given(changes())
def test_nothing_moves_that_need_not(case: tuple[Problem, Problem]) -> None:
    _, after = case
    best, found = cheapest_of_all(after), solve(after)
    assert (found is None) == (best is None)
    if best is not None and found is not None:
        moved = [
            item.name
            for item, at in zip(after.items, found.choice, strict=True)
            if item.options[at].cost[0]
        ]
        assert len(moved) == best[0][0]

"""What the search is pruned by must never be above what is possible."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.plan.packing.balance import filled, imbalance_of
from provision.plan.packing.loose import loosened
from provision.plan.packing.prices import prices_of
from provision.plan.packing.problem import Item, Option, Problem
from provision.plan.packing.search import solve
from provision.plan.packing.shares import FULL, measures_of
from provision.plan.packing.state import first_state
from provision.plan.packing.table import table_of

from .packing_problems import cheapest_of_all, groups, option
from .test_packing_brute import machines, odd_problems


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 100), st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_what_fits_into_a_bin_is_no_more_than_all_of_it(whole: int, sizes: list[int]) -> None:
    inside: list[int] = []
    for size in sizes:
        if sum(inside) + size <= whole:
            inside.append(size)
    items = [(Item(str(s), (option((0,), s, 0),), alone=False), 1) for s in sizes if s <= whole]
    for measure in measures_of(items, (whole,)):
        assert sum(measure(size, whole) for size in inside) <= FULL


def test_more_than_half_of_a_bin_is_all_of_it_by_some_measure() -> None:
    item = Item("i", (option((0,), 51, 0),), alone=False)
    assert FULL in [measure(51, 100) for measure in measures_of([(item, 1)], (100,))]


def by_number(problem: Problem, cost: tuple[int, ...]) -> int:
    return sum(a * b for a, b in zip(cost, table_of(problem).weights, strict=True))


@settings(max_examples=200, deadline=None)
@given(machines() | odd_problems())
def test_no_price_and_no_loose_problem_is_dearer_than_the_best(problem: Problem) -> None:
    best = cheapest_of_all(problem)
    table = table_of(problem)
    start = first_state(table)
    if best is None or start is None:
        assert best is None
        return
    for price in prices_of(table, start):
        assert price.bound(start) <= by_number(problem, best[0])
    loose = solve(loosened(problem))
    assert loose is not None
    assert loose.cost <= best[0]


def test_a_price_shows_what_wishes_for_too_many_gpus_cost() -> None:
    """Six items that would like two of eight GPUs each: four have to do with one."""
    wide = tuple(replace(one, cost=(0,)) for one in groups(8, 2, 20))
    narrow = tuple(replace(one, cost=(100,)) for one in groups(8, 1, 20))
    problem = Problem((24,) * 8, tuple(Item(str(at), wide + narrow) for at in range(6)))
    table = table_of(problem)
    start = first_state(table)
    assert start is not None
    assert max(price.bound(start) for price in prices_of(table, start)) == 400
    found = solve(problem, 2_000)
    assert found is not None
    assert (found.cost, found.proven) == ((400,), True)


def test_enough_room_for_all_wishes_has_no_price() -> None:
    problem = Problem((24,) * 8, tuple(Item(str(at), groups(8, 2, 20)) for at in range(4)))
    table = table_of(problem)
    start = first_state(table)
    assert start is not None
    assert prices_of(table, start) == ()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=3), st.integers(0, 6))
def test_filling_up_is_the_most_even_way(loads: list[int], rest: int) -> None:
    ways = [one for one in product(range(rest + 1), repeat=len(loads)) if sum(one) == rest]
    best = min(imbalance_of([a + b for a, b in zip(loads, way, strict=True)]) for way in ways)
    assert filled(loads, rest) == best


def test_vectors_are_ordered_by_their_first_places_whatever_the_later_ones_sum_up_to() -> None:
    dice = random.Random(5)
    for _ in range(50):
        items = tuple(
            Item(
                str(at),
                tuple(option((), 0, *(dice.randint(-900, 900) for _ in "abc")) for _ in range(3)),
            )
            for at in range(4)
        )
        problem = Problem((), items)
        sums = [
            tuple(sum(column) for column in zip(*(o.cost for o in way), strict=True))
            for way in product(*(item.options for item in items))
        ]
        assert sorted(sums) == sorted(sums, key=lambda one: (by_number(problem, one), one))
        assert len({by_number(problem, one) for one in sums}) == len(set(sums))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Option((0, 1), (5,), (0,)), "wrong length"),
        (Option((0,), (5,), (0, 0)), "wrong length"),
        (Option((1, 0), (5, 5), (0,)), "do not ascend"),
        (Option((0, 0), (5, 5), (0,)), "do not ascend"),
        (Option((0,), (-5,), (0,)), "size below 0"),
    ],
)
def test_options_that_are_not_of_the_form_are_refused(wrong: Option, said: str) -> None:
    right = Option((0,), (5,), (0,))
    with pytest.raises(ValueError, match=said):
        solve(Problem((24, 24), (Item("a", (right,)), Item("b", (right, wrong)))))

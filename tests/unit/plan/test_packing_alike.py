"""Which bins can be swapped, by the definition and on machines."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from provision.plan.packing.alike import alike_bins
from provision.plan.packing.problem import Item, Option, Problem

from .packing_problems import groups, option, swappable


@st.composite
def nearly_even(draw: st.DrawFn) -> Problem:
    """Even problems of which little is taken away, so that both answers are common."""
    bins = draw(st.integers(2, 6))
    items = []
    for name in range(draw(st.integers(1, 3))):
        width = draw(st.integers(1, min(3, bins)))
        options = [option(group, 4, 1) for group in combinations(range(bins), width)]
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, len(options) - 1))
            sizes = tuple(draw(st.integers(3, 4)) for _ in range(width))
            options[at] = replace(options[at], sizes=sizes, cost=(draw(st.integers(0, 1)),))
        load = {b: draw(st.sampled_from((1, 1, 1, 2))) for b in range(bins)}
        items.append(Item(str(name), tuple(options), load=load))
    areas = tuple(draw(st.sampled_from((0, 0, 1))) for _ in range(bins))
    return Problem((8,) * bins, tuple(items), areas if draw(st.booleans()) else ())


@settings(max_examples=400, deadline=None)
@given(nearly_even())
def test_a_class_is_the_bins_that_can_be_swapped(problem: Problem) -> None:
    classes = alike_bins(problem)
    for a, b in combinations(range(len(problem.capacity)), 2):
        assert (classes[a] == classes[b]) == swappable(problem, a, b), (a, b)


def test_eight_equal_gpus_are_one_class() -> None:
    item = Item("i", groups(8, 2, 10, joined=1))
    flat = replace(item, options=tuple(replace(one, cost=(0,)) for one in item.options))
    assert alike_bins(Problem((24,) * 8, (flat,))) == (0,) * 8


def test_linked_pairs_are_classes_of_their_own() -> None:
    assert alike_bins(Problem((24,) * 8, (Item("i", groups(8, 2, 10)),))) == (
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    )


def test_sockets_are_classes_of_their_own() -> None:
    problem = Problem((24,) * 8, (Item("i", groups(8, 2, 10, joined=1)),))
    assert alike_bins(problem) == (0, 0, 0, 0, 1, 1, 1, 1)


def test_an_instance_that_runs_somewhere_sets_its_gpu_apart() -> None:
    problem = Problem((24,) * 4, (Item("i", groups(4, 1, 10, kept=(2,))),))
    assert alike_bins(problem) == (0, 0, 1, 0)


def test_capacity_area_and_load_set_bins_apart() -> None:
    options = tuple(option((b,), 5, 0) for b in range(4))
    assert alike_bins(Problem((24, 24, 48, 24), (Item("i", options),))) == (0, 0, 1, 0)
    assert alike_bins(Problem((24,) * 4, (Item("i", options),), (0, 1, 0, 1))) == (0, 1, 0, 1)
    loaded = Item("i", options, load={0: 5, 1: 5, 2: 5})
    assert alike_bins(Problem((24,) * 4, (loaded,))) == (0, 0, 0, 1)


def test_unequal_sizes_within_an_option() -> None:
    both = (Option((0, 1), (4, 8), (0,)), Option((0, 1), (8, 4), (0,)))
    assert alike_bins(Problem((24, 24), (Item("i", both),))) == (0, 0)
    assert alike_bins(Problem((24, 24), (Item("i", both[:1]),))) == (0, 1)
    dearer = (both[0], replace(both[1], cost=(1,)))
    assert alike_bins(Problem((24, 24), (Item("i", dearer),))) == (0, 1)

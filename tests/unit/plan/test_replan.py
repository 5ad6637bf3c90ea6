"""What runs stays where it is, unless moving it is needed or asked for."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provision.host.facts import Facts
from provision.plan.placement.place import Placement

from .machines import (
    RTX_3060,
    RTX_3090,
    Slot,
    Weighed,
    four_3090s,
    gpus_of,
    machine,
    plan,
    running,
    spec,
    used_by_others,
    uuid_of,
    weighed,
    with_volatile,
)
from .random_hosts import (
    choices,
    every_offer,
    given_model,
    hosts,
    instances,
    placed_on,
    running_somewhere,
    specs,
)

_MOST = 30_000  # choices that are worth trying
PAIR = {"engine": "vllm", "model": "Qwen/Qwen3-8B", "gpus": 2}


def applied(facts: Facts, found: Placement) -> Facts:
    """The host with this placement running."""
    return with_volatile(
        facts,
        placed=tuple(
            placed_on(wish.name, [gpu.uuid for gpu in found.gpus[wish.name]])
            for wish in found.wishes
        ),
    )


def least_moves(start: Weighed, facts: Facts) -> int | None:
    """The fewest instances that any choice moves; None where there is no choice."""
    every = [every_offer(wish, start) for wish in start.wishes]
    found = choices(start, facts, every)
    assume(found.count() <= _MOST)
    least = found.least()
    return least[0] if least is not None else None


@settings(max_examples=80, deadline=None)
@given(hosts(others=True), specs(), st.data())
def test_wherever_they_run_no_more_are_moved_than_must_be(
    facts: Facts, wanted: dict[str, Any], data: st.DataObject
) -> None:
    start = weighed(spec(wanted), facts)
    every = [every_offer(wish, start) for wish in start.wishes]
    facts = data.draw(running_somewhere(start, facts, every))
    least = least_moves(start, facts)
    found = start.placed(facts)
    assert (found is None) == (least is None)
    if found is not None and least is not None:
        assert len(found.moved) == least
        assert len(found.kept) == len(facts.volatile.placed) - least


@settings(max_examples=60, deadline=None)
@given(hosts(), specs(3), st.data())
def test_adding_removing_and_resizing_move_no_other(
    facts: Facts, wanted: dict[str, Any], data: st.DataObject
) -> None:
    first = weighed(spec(wanted), facts).placed(facts)
    assume(first is not None)
    assert first is not None
    name = data.draw(st.sampled_from([*wanted, "new"]))
    changed = {key: one for key, one in wanted.items() if key != name}
    if name == "new" or data.draw(st.booleans()):
        changed[name] = data.draw(instances())
    assume(changed)
    now = applied(facts, first)
    second = weighed(spec(changed), facts)
    least = least_moves(second, now)
    found = second.placed(now)
    assert (found is None) == (least is None)
    if found is not None:
        assert len(found.moved) == least
        others = {one for one in found.moved if not one.startswith(f"{name}.")}
        assert least or not others


def test_a_new_one_takes_two_free_cards_rather_than_move_what_runs() -> None:
    """On the large card it would not be split, but who runs there need not move for that."""
    facts = machine(
        [
            Slot(RTX_3090, "0000:01:00.0"),
            Slot(RTX_3060, "0000:02:00.0"),
            Slot(RTX_3060, "0000:03:00.0"),
        ]
    )
    old = given_model(5, gpus=1)
    before = plan(spec({"old": old}), facts)
    assert gpus_of(before) == {"old.0": [0]}
    after = plan(spec({"old": old, "new": given_model(14)}), running(facts, before))
    assert gpus_of(after) == {"old.0": [0], "new.0": [1, 2]}
    assert not after.moved


def test_one_that_grows_may_move_itself_and_nobody_else() -> None:
    facts = four_3090s()
    small = {"a": given_model(5), "b": given_model(5)}
    before = plan(spec(small), facts)
    after = plan(spec({**small, "a": given_model(40)}), running(facts, before))
    assert gpus_of(after)["b.0"] == gpus_of(before)["b.0"]
    assert set(after.moved) == {"a.0"}
    assert len(gpus_of(after)["a.0"]) == 2


def test_a_large_one_stays_when_a_small_one_comes() -> None:
    facts = four_3090s()
    before = plan(spec({"a": given_model(40)}), facts)
    after = plan(spec({"a": given_model(40), "b": given_model(5)}), running(facts, before))
    assert gpus_of(after)["a.0"] == gpus_of(before)["a.0"]


def on_worse_cards(facts: Facts) -> Facts:
    """A pair runs on cards 1 and 2, which no NVLink joins."""
    cards = [uuid_of("0000:65:00.0"), uuid_of("0000:b3:00.0")]
    return with_volatile(facts, placed=(placed_on("pair.0", cards),))


def test_replan_moves_to_the_better_place() -> None:
    facts = on_worse_cards(four_3090s())
    text = spec({"pair": PAIR})
    stays = plan(text, facts)
    assert gpus_of(stays) == {"pair.0": [1, 2]} and not stays.moved
    assert set(stays.kept) == {"pair.0"}
    moves = plan(text, facts, replan=True)
    assert gpus_of(moves)["pair.0"] in ([0, 1], [2, 3])
    a, b = gpus_of(moves)["pair.0"]
    assert moves.moved == {"pair.0": f"GPUs 1 and 2 to GPUs {a} and {b}"}
    assert not moves.kept
    assert any("it moves from" in one.text for one in moves.reasons)


def test_replan_moves_nothing_between_equals() -> None:
    facts = four_3090s()
    cards = [uuid_of("0000:b3:00.0"), uuid_of("0000:ca:00.0")]
    placed = (placed_on("pair.0", cards), placed_on("one.0", [uuid_of("0000:65:00.0")]))
    facts = with_volatile(facts, placed=placed)
    made = plan(spec({"pair": PAIR, "one": given_model(5)}), facts, replan=True)
    assert gpus_of(made) == {"pair.0": [2, 3], "one.0": [1]}
    assert not made.moved


def test_a_card_that_is_reserved_now_is_left() -> None:
    facts = four_3090s()
    text = {"a": given_model(5)}
    before = plan(spec(text), facts)
    here = before.instances[0].gpus[0].uuid
    after = plan(spec(text, reserved_gpus=[here]), running(facts, before))
    assert after.instances[0].gpus[0].uuid != here
    assert set(after.moved) == {"a.0"}


def test_a_card_that_others_have_filled_since_is_left() -> None:
    facts = four_3090s()
    text = spec({"a": given_model(14)})
    before = plan(text, facts)
    (at,) = gpus_of(before)["a.0"]
    after = plan(text, used_by_others(running(facts, before), {at: 15000}))
    assert gpus_of(after)["a.0"] != [at]
    assert set(after.moved) == {"a.0"}

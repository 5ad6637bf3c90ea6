"""Placement of all instances together, against trying every choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provision.host.errors import ProvisionError
from provision.host.facts import Facts, Gpu
from provision.plan.placement.offers import Offer
from provision.plan.placement.place import Placement

from .machines import (
    H100,
    L40S,
    MI210,
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
    with_stable,
)
from .random_hosts import (
    choices,
    every_offer,
    fewest_offers,
    given_model,
    hosts,
    running_somewhere,
    specs,
    told_otherwise,
)

_MOST = 30_000  # choices that are worth trying


def cost_of(
    found: Placement, start: Weighed, facts: Facts, offers: Sequence[list[Offer]], replan: bool
) -> tuple[int, ...]:
    """What a placement costs by the offers that it took, which must fit together."""
    taken = [
        [one for one in of_wish if _uuids(one.gpus) == _uuids(found.gpus[wish.name])]
        for wish, of_wish in zip(start.wishes, offers, strict=True)
    ]
    assert all(len(one) == 1 for one in taken)
    cost = choices(start, facts, taken, replan).least()
    assert cost is not None, "what was placed does not fit together"
    return cost


def _uuids(gpus: Sequence[Gpu]) -> set[str]:
    return {gpu.uuid for gpu in gpus}


@settings(max_examples=80, deadline=None)
@given(hosts(others=True), specs(), st.data(), st.booleans())
def test_the_least_cost_of_all_choices(
    facts: Facts, wanted: dict[str, Any], data: st.DataObject, replan: bool
) -> None:
    """What moves, then the prices summed; no placement only where no choice fits."""
    start = weighed(spec(wanted), facts)
    few = [fewest_offers(wish, start) for wish in start.wishes]
    every = [every_offer(wish, start) for wish in start.wishes]
    assume(choices(start, facts, every).count() <= _MOST)
    facts = data.draw(running_somewhere(start, facts, few))
    found = start.placed(facts, replan)
    offers = few
    least = choices(start, facts, few, replan).least()
    if least is None:
        offers, least = every, choices(start, facts, every, replan).least()
    assert (found is None) == (least is None)
    if found is not None:
        assert cost_of(found, start, facts, offers, replan) == least
        assert found.proven


@settings(max_examples=40, deadline=None)
@given(hosts(), specs(), st.data())
def test_the_same_facts_give_the_same_placement_however_they_are_told(
    facts: Facts, wanted: dict[str, Any], data: st.DataObject
) -> None:
    found = weighed(spec(wanted), facts).placed(facts)
    order = data.draw(st.permutations(range(len(facts.stable.gpu_links))))
    gpus = tuple(data.draw(st.permutations(facts.stable.gpus)))
    again = with_stable(told_otherwise(facts, order), gpus=gpus)
    second = weighed(spec(wanted), again).placed(again)
    assert (found is None) == (second is None)
    if found is not None and second is not None:
        assert found.gpus == second.gpus
        assert [found.ways[one].split for one in found.ways] == [
            second.ways[one].split for one in second.ways
        ]


# --- the rules one by one ----------------------------------------------------------------------

QWEN_8B = {"engine": "vllm", "model": "Qwen/Qwen3-8B"}
LLAMA_70B = {
    "engine": "llama-server",
    "model": "/srv/Llama-3.3-70B-Instruct-Q4_K_M.gguf",
}


@pytest.mark.parametrize("optimize", ["latency", "throughput", "memory"])
@pytest.mark.parametrize("nvlinks", [0, 4])
def test_what_fits_one_card_is_not_split(optimize: str, nvlinks: int) -> None:
    made = plan(spec({"a": QWEN_8B}, optimize=optimize), four_3090s(nvlinks=nvlinks))
    assert [len(gpus) for gpus in gpus_of(made).values()] == [1]


def test_what_does_not_fit_one_card_takes_as_few_as_hold_it() -> None:
    made = plan(spec({"a": LLAMA_70B}), four_3090s())
    assert gpus_of(made) == {"a.0": [0, 1]}


def test_more_cards_where_those_that_would_do_are_not_to_be_had() -> None:
    """The large card is named by another: three small ones hold the model together."""
    facts = machine(
        [Slot(L40S, "0000:01:00.0"), *(Slot(RTX_3060, f"0000:{at:02x}:00.0") for at in (2, 3, 4))]
    )
    made = plan(spec({"a": given_model(25), "b": given_model(4, gpus=["0000:01:00.0"])}), facts)
    assert gpus_of(made) == {"a.0": [1, 2, 3], "b.0": [0]}


def test_a_reserved_gpu_is_never_used() -> None:
    facts = four_3090s()
    kept = [uuid_of("0000:17:00.0"), "0000:ca:00.0"]
    made = plan(spec({"a": given_model(5, replicas="per-gpu")}, reserved_gpus=kept), facts)
    assert gpus_of(made) == {"a.0": [1], "a.1": [2]}
    made = plan(spec({"a": given_model(5, replicas="auto")}, reserved_gpus=kept), facts)
    assert sorted(gpus_of(made).values()) == [[1], [2]]


@settings(max_examples=30, deadline=None)
@given(hosts(least=3), specs(), st.data())
def test_reserved_gpus_of_any_host_stay_free(
    facts: Facts, wanted: dict[str, Any], data: st.DataObject
) -> None:
    kept = data.draw(st.sets(st.sampled_from([gpu.uuid for gpu in facts.stable.gpus]), min_size=1))
    found = weighed(spec(wanted), facts, sorted(kept)).placed(facts)
    if found is not None:
        assert not kept & {gpu.uuid for cards in found.gpus.values() for gpu in cards}


def test_named_gpus_and_no_others() -> None:
    cards = ["0000:b3:00.0", uuid_of("0000:65:00.0")]
    made = plan(spec({"a": given_model(5, gpus=cards)}), four_3090s())
    assert gpus_of(made) == {"a.0": [1, 2]}


def test_replicas_auto_fill_the_host() -> None:
    made = plan(spec({"a": given_model(5, replicas="auto")}), four_3090s())
    assert gpus_of(made) == {"a.0": [0], "a.1": [1], "a.2": [2], "a.3": [3]}


def test_replicas_auto_of_two_cards_each_keep_the_pairs() -> None:
    made = plan(spec({"a": {**LLAMA_70B, "replicas": "auto"}}), four_3090s())
    assert gpus_of(made) == {"a.0": [0, 1], "a.1": [2, 3]}


def test_replicas_auto_leave_room_for_the_others_and_share_in_turn() -> None:
    auto = given_model(5, replicas="auto")
    made = plan(spec({"a": auto, "b": given_model(5, gpus=2)}), four_3090s())
    assert len(gpus_of(made)["b.0"]) == 2
    assert sorted(gpus_of(made)) == ["a.0", "a.1", "b.0"]
    made = plan(spec({"a": auto, "b": auto}), four_3090s())
    assert sorted(gpus_of(made)) == ["a.0", "a.1", "b.0", "b.1"]


def test_replicas_auto_that_share_fill_the_memory() -> None:
    """About 6.5 GiB each: three on a card of 24 GiB."""
    text = spec({"a": given_model(4, replicas="auto", share_gpus=True)})
    made = plan(text, machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")]))
    assert sorted(gpus_of(made).values()) == [[0], [0], [0], [1]]


def test_copies_that_run_stay_when_replicas_auto_is_planned_again() -> None:
    facts = four_3090s()
    text = spec({"a": given_model(5, replicas="auto")})
    first = plan(text, facts)
    again = plan(text, running(facts, first))
    assert gpus_of(again) == gpus_of(first)
    assert set(again.kept) == set(gpus_of(first)) and not again.moved


def test_per_gpu_leaves_out_cards_that_do_not_hold_the_model() -> None:
    facts = machine([Slot(RTX_3060, "0000:01:00.0"), Slot(RTX_3090, "0000:02:00.0")])
    made = plan(spec({"a": given_model(14, replicas="per-gpu")}), facts)
    assert gpus_of(made) == {"a.0": [1]}


def test_makers_are_not_mixed_in_one_instance() -> None:
    others = [Slot(RTX_3090, f"0000:{at:02x}:00.0") for at in (2, 3, 4)]
    facts = machine([Slot(MI210, "0000:01:00.0"), *others])
    found = gpus_of(plan(spec({"a": given_model(60), "b": given_model(20)}), facts))
    assert found == {"a.0": [0], "b.0": [1]}
    with pytest.raises(ProvisionError):
        plan(spec({"a": given_model(75)}), facts)  # 64 + 3 x 24 GiB would hold it


def test_a_tensor_group_keeps_to_one_nvlink_pair_beside_others() -> None:
    """The greedy rule, most free memory first, would tear a pair for the single card."""
    made = plan(
        spec({"one": given_model(5), "pair": {**QWEN_8B, "gpus": 2}, "two": given_model(5)}),
        four_3090s(),
    )
    assert gpus_of(made)["pair.0"] in ([0, 1], [2, 3])


def test_memory_of_the_nodes_is_used_alike() -> None:
    facts = four_3090s(nvlinks=0)
    made = plan(spec({"a": given_model(5), "b": given_model(5)}), facts)
    nodes = sorted(one.gpus[0].numa_node or 0 for one in made.instances)
    assert nodes == [0, 1]


def test_memory_that_others_hold_is_not_counted_on() -> None:
    busy = used_by_others(four_3090s(), {0: 20000, 1: 20000, 2: 20000})
    assert gpus_of(plan(spec({"a": given_model(14)}), busy)) == {"a.0": [3]}


def test_an_unknown_memory_is_not_held_against_a_card() -> None:
    facts = machine([Slot(H100, "0000:01:00.0")])
    gpu = dataclasses.replace(facts.stable.gpus[0], memory_mib=None)
    made = plan(spec({"a": given_model(5)}), with_stable(facts, gpus=(gpu,)))
    assert gpus_of(made) == {"a.0": [0]}


@pytest.mark.parametrize(("memory_mib", "runs"), [(65536, True), (8192, False)])
def test_layers_go_to_ram_only_where_it_is_allowed_and_holds_them(
    memory_mib: int, runs: bool
) -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0")], memory_mib=memory_mib)
    with pytest.raises(ProvisionError) as caught:
        plan(spec({"a": given_model(30)}), facts)
    assert ("cpu_offload" in (caught.value.diagnostics[0].hint or "")) == runs
    allowed = spec({"a": given_model(30, cpu_offload=True)})
    if not runs:
        with pytest.raises(ProvisionError):
            plan(allowed, facts)
        return
    made = plan(allowed, facts)
    assert gpus_of(made) == {"a.0": [0]}
    layers = made.instances[0].gpu_layers
    assert layers is not None and 0 < layers < 32
    assert made.figures["a.0"].ram_mib <= memory_mib * 3 // 4


def test_copies_that_run_stay_and_only_free_cards_get_more() -> None:
    """replicas: auto: a new instance takes the free card, and no copy moves for another copy."""
    facts = four_3090s()
    wish = {"engine": "ollama", "model": "llama3.1:8b", "replicas": "auto"}
    first = plan(spec({"chat": wish}), facts)
    assert [one.name for one in first.instances] == [f"chat.{at}" for at in range(4)]
    three = dataclasses.replace(first, instances=first.instances[:3])
    kept = running(facts, three)
    made = plan(spec({"new": {**wish, "replicas": 1}, "chat": wish}), kept)
    where = {one.name: [gpu.index for gpu in one.gpus] for one in made.instances}
    assert where == {"new.0": [3], "chat.0": [0], "chat.1": [1], "chat.2": [2]}
    assert not made.moved

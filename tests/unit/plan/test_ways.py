"""The best way of one service on one group of GPUs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.host.facts import Facts
from provision.models.memory.split import Split
from provision.plan.ways.way import Way, way_text

from .machines import (
    H100,
    L40S,
    RTX_3060,
    RTX_3090,
    RTX_4090,
    Card,
    Slot,
    four_3090s,
    machine,
    spec,
    used_by_others,
    weighed,
    with_stable,
)
from .random_hosts import ENGINES, given_model, hosts

QWEN_8B = {"engine": "vllm", "model": "Qwen/Qwen3-8B"}
QWEN_14B = {"engine": "vllm", "model": "Qwen/Qwen2.5-14B-Instruct"}
LLAMA_70B = {"engine": "llama-server", "model": "/srv/Llama-3.3-70B-Instruct-Q4_K_M.gguf"}


def cards(card: Card, count: int, **more: Any) -> Facts:
    return machine([Slot(card, f"0000:{1 + at:02x}:00.0") for at in range(count)], **more)


def best(instance: dict[str, Any], facts: Facts, *at: int) -> Way:
    start = weighed(spec({"a": instance}), facts)
    usable = start.table.usable()
    return start.ways["a"].best([usable[one] for one in at or range(len(usable))])


@pytest.mark.parametrize("optimize", ["latency", "throughput"])
def test_nvlink_means_tensor_parallel(optimize: str) -> None:
    way = best({**QWEN_14B, "optimize": optimize}, cards(RTX_3090, 2, nvlinks=4))
    assert (way.split.tensor, way.split.pipeline, way.problem) == (2, 1, None)
    assert way.joint.kind == "nvlink"


def test_tensor_within_the_pairs_and_stages_between_the_sockets() -> None:
    way = best({**QWEN_14B, "optimize": "throughput"}, four_3090s())
    assert (way.split.tensor, way.split.pipeline) == (2, 2)
    assert [gpu.index for gpu in way.gpus] == [0, 1, 2, 3]


def test_ranks_of_a_stage_are_nearest_to_each_other_whatever_the_pci_order() -> None:
    instance = {**QWEN_14B, "tensor_parallel_size": 2, "pipeline_parallel_size": 2}
    links = {(0, 2): 4, (1, 3): 4}
    way = best(instance, cards(RTX_3090, 4, nvlinks=links))
    assert [gpu.index for gpu in way.gpus] == [0, 2, 1, 3]
    # An NVLink between the sockets is still faster than PCIe within one.
    way = best(instance, four_3090s(nvlinks=links))
    assert [gpu.index for gpu in way.gpus] == [0, 2, 1, 3]


def test_cards_that_cannot_be_cut_alike_get_stages_by_their_room() -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0"), Slot(RTX_3060, "0000:02:00.0")])
    way = best({**QWEN_8B, "gpus": 2}, facts)
    assert (way.split.tensor, way.split.pipeline, way.split.layers) == (1, 2, (24, 12))
    assert way.need_mib[0] > way.need_mib[1]


@settings(max_examples=60, deadline=None)
@given(hosts(others=True), st.sampled_from([8, 20, 30, 60]), st.sampled_from(ENGINES))
def test_stages_place_every_layer_and_no_card_holds_more_than_its_room(
    facts: Facts, gib: int, engine: str
) -> None:
    way = best(given_model(gib, engine), facts)
    if way.problem is not None:
        assert way.problem.text
        return
    if way.split.layers is not None:
        assert sum(way.split.layers) == 32 and min(way.split.layers) >= 1
    for gpu, needed, room in zip(way.gpus, way.need_mib, way.room, strict=True):
        assert room is not None and gpu.memory_mib is not None
        assert needed <= room <= gpu.memory_mib
    assert set(way.gpus) == set(facts.stable.gpus)


@settings(max_examples=40, deadline=None)
@given(hosts(others=True), st.data())
def test_groups_that_look_the_same_get_the_same_way(facts: Facts, data: st.DataObject) -> None:
    """What is kept from one group and used for another is what that one would get itself."""
    start = weighed(spec({"a": given_model(14, "vllm")}), facts)
    usable = start.table.usable()
    picked = data.draw(
        st.lists(
            st.sets(st.sampled_from(range(len(usable))), min_size=1, max_size=3),
            min_size=2,
            max_size=5,
        )
    )
    for one in picked:
        group = [usable[at] for at in sorted(one)]
        fresh = weighed(spec({"a": given_model(14, "vllm")}), facts).ways["a"].best(group)
        kept = start.ways["a"].best(group)
        assert (kept.split, kept.gpus) == (fresh.split, fresh.gpus)
        assert (kept.need_mib, kept.room, kept.load) == (fresh.need_mib, fresh.room, fresh.load)
        assert (kept.problem is None) == (fresh.problem is None)


def test_the_context_is_the_largest_that_fits_up_to_the_models_own() -> None:
    small, large = best(QWEN_8B, cards(RTX_3090, 1)), best(QWEN_8B, cards(H100, 1))
    assert 4096 <= small.load.context < 40960 and small.load.context % 256 == 0
    assert large.load.context == 40960
    assert small.need_mib[0] <= (small.room[0] or 0)


def test_a_context_that_host_yaml_names_is_kept() -> None:
    assert best({**QWEN_8B, "context": 2048}, cards(RTX_3090, 1)).load.context == 2048


@pytest.mark.parametrize("engine", ["ollama", "llama-server"])
def test_llama_cpp_gets_a_context_too(engine: str) -> None:
    assert best(given_model(4, engine), cards(RTX_3090, 1)).load.context == 8192


def test_vllm_takes_more_than_usual_only_where_that_is_too_little() -> None:
    assert best(QWEN_8B, cards(RTX_3090, 1)).utilization == 0.9
    tight = {"engine": "vllm", "model": "casperhansen/llama-3.3-70b-instruct-awq"}
    way = best(tight, cards(RTX_3090, 2, nvlinks=4))
    assert (way.utilization, way.problem) == (0.95, None)
    given = best({**tight, "memory_utilization": 0.8}, cards(RTX_3090, 2, nvlinks=4))
    assert given.utilization == 0.8
    assert given.problem is not None and given.problem.rule == "memory"


def test_what_others_hold_is_said_where_it_is_the_reason() -> None:
    busy = used_by_others(cards(RTX_3090, 1), {0: 12000})
    way = best({**QWEN_8B, "memory_utilization": 0.9}, busy)
    assert way.problem is not None and way.problem.rule == "used-by-others"
    assert "other programs leave 11.8 GiB" in way.problem.text
    llama = best(given_model(14), busy)
    assert llama.problem is not None and "11.8 GiB for it" in llama.problem.text


def test_no_layer_stays_in_ram_unless_host_yaml_says_so() -> None:
    facts = cards(RTX_3090, 1)
    refused, allowed = best(LLAMA_70B, facts), best({**LLAMA_70B, "cpu_offload": True}, facts)
    assert refused.problem is not None and not refused.split.offloaded
    assert allowed.problem is None and 0 < allowed.split.offloaded < 80
    assert allowed.need is not None and allowed.need.ram_bytes > 10 << 30


def test_the_fewest_layers_in_ram_with_which_the_rest_surely_fits() -> None:
    facts = cards(RTX_3090, 1)
    start = weighed(spec({"a": {**LLAMA_70B, "cpu_offload": True}}), facts)
    (gpu,) = start.table.usable()
    ways = start.ways["a"]
    way = ways.best([gpu])
    one_less = ways.fitting.fitted(
        (gpu,), dataclasses.replace(way.split, offloaded=way.split.offloaded - 1), way.joint
    )
    assert not way.tight
    assert one_less.problem is not None or one_less.tight


def test_what_fits_keeps_all_layers_on_the_gpus_though_ram_is_allowed() -> None:
    way = best({**LLAMA_70B, "cpu_offload": True}, cards(RTX_3090, 2))
    assert (way.problem, way.split.offloaded) == (None, 0)


def test_ram_that_does_not_hold_the_rest_is_no_way() -> None:
    way = best({**LLAMA_70B, "cpu_offload": True}, cards(RTX_3090, 1, memory_mib=16384))
    assert way.problem is not None and way.problem.rule == "memory"


def test_whole_experts_where_slices_of_them_cannot_be() -> None:
    model = {"engine": "vllm", "model": "Qwen/Qwen3-30B-A3B-AWQ", "tensor_parallel_size": 4}
    way = best(model, cards(RTX_3090, 4, nvlinks=4))
    assert (way.problem, way.split.experts) == (None, True)
    refused = best({**model, "expert_parallel": False}, cards(RTX_3090, 4, nvlinks=4))
    assert refused.problem is not None and refused.problem.rule == "width"


def test_the_nearest_problem_is_told_where_no_way_works() -> None:
    """Too little memory says more than heads that do not divide."""
    way = best({"engine": "vllm", "model": "Qwen/Qwen2.5-72B-Instruct"}, cards(RTX_3060, 3))
    assert way.problem is not None and way.problem.rule == "memory"


def test_peer_access_that_is_unknown_is_not_counted_on() -> None:
    facts = cards(RTX_4090, 2)
    known = with_stable(
        facts,
        gpu_links=tuple(dataclasses.replace(one, p2p=True) for one in facts.stable.gpu_links),
    )
    slow = best({**QWEN_14B, "tensor_parallel_size": 2}, facts)
    fast = best({**QWEN_14B, "tensor_parallel_size": 2}, known)
    assert slow.speed is not None and fast.speed is not None
    assert slow.speed.single.middle <= fast.speed.single.middle


@pytest.mark.parametrize(
    ("split", "word", "gpus", "text"),
    [
        (Split(), "pipeline", 1, "one GPU"),
        (Split(), "pipeline", 0, "on the CPU"),
        (Split(2), "pipeline", 2, "tensor 2"),
        (Split(2, 2), "pipeline", 4, "tensor 2 x pipeline 2"),
        (Split(1, 2, (24, 12)), "pipeline", 2, "pipeline 24 + 12"),
        (Split(1, 2, (18, 18)), "pipeline", 2, "pipeline 2"),
        (Split(1, 2, (44, 36)), "layers", 2, "layers 44 + 36"),
        (Split(4, experts=True), "pipeline", 4, "tensor 4, EP"),
        (Split(offloaded=5), "layers", 1, "one GPU, 5 layers in RAM"),
    ],
)
def test_a_split_in_words(split: Split, word: str, gpus: int, text: str) -> None:
    assert way_text(split, word, gpus) == text


def test_the_larger_card_of_two_kinds_gets_the_larger_stage() -> None:
    facts = machine([Slot(RTX_3090, "0000:01:00.0"), Slot(L40S, "0000:02:00.0")])
    way = best(given_model(40), facts)
    assert way.problem is None and way.split.layers is not None
    by_card = dict(zip((gpu.name for gpu in way.gpus), way.split.layers, strict=True))
    assert by_card["NVIDIA L40S"] > by_card["NVIDIA GeForce RTX 3090"]

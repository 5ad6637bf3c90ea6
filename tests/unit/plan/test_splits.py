"""Which splits are legal, and the sentence of the rule by which others are not."""

from __future__ import annotations

from typing import Any

import pytest

from provision.models.memory.split import Split
from provision.plan.ways.splits import kv_repeats, split_problem, splits

from .machines import (
    H100,
    MI210,
    RTX_3060,
    RTX_3090,
    Card,
    Slot,
    Weighed,
    machine,
    spec,
    weighed,
)
from .random_hosts import given_model

EIGHT = machine([Slot(H100, f"0000:{0x10 + at:02x}:00.0") for at in range(8)], nvlinks=18)
MIXED = machine(
    [
        Slot(MI210, "0000:01:00.0"),
        Slot(RTX_3090, "0000:02:00.0"),
        Slot(RTX_3060, "0000:03:00.0"),
        Slot(RTX_3090, "0000:04:00.0"),
    ]
)
QWEN_7B = "Qwen/Qwen2.5-7B-Instruct"  # 28 heads, 4 KV heads
LLAMA_3B = "meta-llama/Llama-3.2-3B-Instruct"  # 24 heads, 8 KV heads
LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"  # 32 heads, 8 KV heads, 32 layers
QWEN_30B = "Qwen/Qwen3-30B-A3B"  # 128 experts of width 768, 32 heads, 4 KV heads
QWEN_30B_AWQ = "Qwen/Qwen3-30B-A3B-AWQ"
R1 = "deepseek-ai/DeepSeek-R1"  # latent attention, 128 heads


def served(model: str, engine: str = "vllm", facts: Any = EIGHT, **more: Any) -> Weighed:
    return weighed(spec({"a": {"engine": engine, "model": model, **more}}), facts)


def sizes(start: Weighed, count: int) -> list[tuple[int, int, bool]]:
    found = splits(start.ways["a"].service, count)
    return [(one.tensor, one.pipeline, one.experts) for one in found]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (served(LLAMA_8B), [(4, 1, False), (2, 2, False), (1, 4, False)]),
        (served(LLAMA_8B, tensor_parallel_size=2, pipeline_parallel_size=2), [(2, 2, False)]),
        (served(LLAMA_8B, gpus=4, pipeline_parallel_size=4), [(1, 4, False)]),
        (served(LLAMA_8B, tensor_parallel_size=3), []),
        (
            served(QWEN_30B),
            [(4, 1, False), (4, 1, True), (2, 2, False), (2, 2, True), (1, 4, False)],
        ),
        (served(QWEN_30B, expert_parallel=True), [(4, 1, True), (2, 2, True), (1, 4, False)]),
        (served(QWEN_30B, expert_parallel=False), [(4, 1, False), (2, 2, False), (1, 4, False)]),
        (served("llama3.1:8b", "ollama"), [(1, 4, False)]),
        (served("/srv/Llama-3.1-8B-Instruct-Q8_0.gguf", "llama-server"), [(1, 4, False)]),
    ],
)
def test_ways_to_divide_four_gpus(start: Weighed, expected: list[tuple[int, int, bool]]) -> None:
    assert sizes(start, 4) == expected


@pytest.mark.parametrize(
    ("model", "split", "rule", "words"),
    [
        (QWEN_7B, Split(2), None, []),
        (QWEN_7B, Split(4), None, []),
        (QWEN_7B, Split(7), "kv-heads", ["4 KV heads", "7 ranks"]),
        (QWEN_7B, Split(8), "heads", ["Qwen2.5-7B-Instruct", "28 attention heads", "which 8"]),
        (LLAMA_3B, Split(3), "kv-heads", ["8 KV heads", "3 ranks can neither divide nor repeat"]),
        (LLAMA_3B, Split(6), "kv-heads", ["8 KV heads", "6 ranks"]),
        (LLAMA_3B, Split(8), None, []),
        (LLAMA_8B, Split(1, 33), "layers", ["32 layers", "33 stages"]),
        (LLAMA_8B, Split(1, 8), None, []),
        (QWEN_30B, Split(8), None, []),
        (QWEN_30B_AWQ, Split(2), None, []),
        (QWEN_30B_AWQ, Split(4), "width", ["width of an expert, 768", "cut in 4 is 192", "128"]),
        (QWEN_30B_AWQ, Split(8), "width", ["768, cut in 8 is 96 each", "whole groups of 128"]),
        (QWEN_30B_AWQ, Split(4, experts=True), None, []),
        (R1, Split(8), None, []),
        (R1, Split(3), "heads", ["128 attention heads, which 3 does not divide"]),
    ],
)
def test_rules_by_the_shape(model: str, split: Split, rule: str | None, words: list[str]) -> None:
    start = served(model)
    gpus = (start.table.usable() * 5)[: split.gpus]
    found = split_problem(start.ways["a"].service, split, gpus)
    assert (found.rule if found else None) == rule
    for word in words:
        assert found is not None and word in found.text


@pytest.mark.parametrize(
    ("at", "split", "rule", "words"),
    [
        ([0, 1], Split(2), "vendors", ["amd and nvidia"]),
        ([0, 1], Split(1, 2), "vendors", ["amd and nvidia", "never"]),
        ([1, 2], Split(2), "unequal", ["RTX 3090", "RTX 3060", "24.0 GiB", "12.0 GiB"]),
        ([1, 2], Split(1, 2), None, []),
        ([1, 3], Split(2), None, []),
        ([1, 3, 2, 2], Split(2, 2), None, []),
        ([1, 2, 3, 2], Split(2, 2), "unequal", ["tensor 2"]),
    ],
)
def test_rules_by_the_cards(
    at: list[int], split: Split, rule: str | None, words: list[str]
) -> None:
    start = served(LLAMA_8B, facts=MIXED)
    gpus = [start.table.usable()[one] for one in at]
    found = split_problem(start.ways["a"].service, split, gpus)
    assert (found.rule if found else None) == rule
    for word in words:
        assert found is not None and word in found.text


def test_a_little_less_memory_is_the_same_kind_of_card() -> None:
    """ECC takes some of it."""
    less = Card("NVIDIA GeForce RTX 3090", 24268, "2204", (100, 390, 350), "8.6")
    facts = machine([Slot(RTX_3090, "0000:01:00.0"), Slot(less, "0000:02:00.0")])
    start = served(LLAMA_8B, facts=facts)
    assert split_problem(start.ways["a"].service, Split(2), start.table.usable()) is None


def test_without_heads_or_layers_a_given_model_is_not_split() -> None:
    bare = given_model(30, "vllm") | {"memory": {"weights_gib": 30}}
    start = weighed(spec({"a": bare}), EIGHT)
    service, gpus = start.ways["a"].service, start.table.usable()[:2]
    tensor, stages = (split_problem(service, one, gpus) for one in (Split(2), Split(1, 2)))
    assert tensor is not None and "memory: heads" in tensor.text
    assert stages is not None and stages.rule == "layers"
    heads = bare | {"memory": {"weights_gib": 30, "heads": 30}}
    start = weighed(spec({"a": heads}), EIGHT)
    assert split_problem(start.ways["a"].service, Split(2), gpus) is None
    odd = split_problem(start.ways["a"].service, Split(4), (*gpus, *gpus))
    assert odd is not None and "30 attention heads, which 4" in odd.text


@pytest.mark.parametrize(
    ("model", "tensor", "times"),
    [(LLAMA_8B, 8, 1), (QWEN_7B, 2, 1), (QWEN_30B, 8, 2), (QWEN_30B, 16, 4), (R1, 8, 1)],
)
def test_how_many_ranks_hold_the_same_kv_head(model: str, tensor: int, times: int) -> None:
    assert kv_repeats(served(model).ways["a"].service, Split(tensor)) == times

"""An impossible wish: what is missing, in numbers, and the nearest that works."""

from __future__ import annotations

from typing import Any

import pytest

from provision.host.errors import Diagnostic, ProvisionError
from provision.host.facts import Facts

from .machines import (
    H100,
    RTX_3060,
    RTX_3090,
    Slot,
    four_3090s,
    machine,
    plan,
    spec,
    used_by_others,
)
from .random_hosts import given_model

ONE = machine([Slot(RTX_3090, "0000:01:00.0")])
EIGHT = machine([Slot(H100, f"0000:{0x10 + at:02x}:00.0") for at in range(8)], nvlinks=18)
QWEN_7B = {"engine": "vllm", "model": "Qwen/Qwen2.5-7B-Instruct"}  # 28 heads
LLAMA_70B = {"engine": "llama-server", "model": "/srv/Llama-3.3-70B-Instruct-Q4_K_M.gguf"}


def errors(instances: dict[str, Any], facts: Facts) -> list[Diagnostic]:
    with pytest.raises(ProvisionError) as caught:
        plan(spec(instances), facts)
    return [one for one in caught.value.diagnostics if one.severity == "error"]


@pytest.mark.parametrize(
    ("facts", "instances", "rule", "line", "words"),
    [
        pytest.param(
            ONE,
            {"a": LLAMA_70B},
            "no-fit",
            "model:",
            [
                "a.0: Llama-3.3-70B-Instruct in Q4_K_M with context 8192",
                "GiB",
                "1 x 23.5 GiB (RTX 3090)",
            ],
            id="too large for the host",
        ),
        pytest.param(
            four_3090s(),
            {"a": {**LLAMA_70B, "gpus": 1}},
            "no-fit",
            "gpus: 1",
            ["GPU 0 has 23.5 GiB", "would fit: gpus: 2"],
            id="too large for what was asked for",
        ),
        pytest.param(
            four_3090s(),
            {"a": given_model(120)},
            "no-fit",
            "model:",
            ["4 x 23.5 GiB (RTX 3090)", "at most 2 of them joined by NVLink"],
            id="what there is, and how it is joined",
        ),
        pytest.param(
            EIGHT,
            {"a": {**QWEN_7B, "tensor_parallel_size": 8}},
            "no-split",
            "tensor_parallel_size: 8",
            ["28 attention heads, which 8 does not divide", "tensor_parallel_size: 2 or 4"],
            id="heads that do not divide",
        ),
        pytest.param(
            EIGHT,
            {"a": given_model(10, gpus=3), "b": given_model(2, gpus=6)},
            "gpus-short",
            "gpus: 3",
            ["a.0: needs 3 GPUs", "2 of 8 are free", "GPU 0 by b.0", "gpus: 2"],
            id="taken by another",
        ),
        pytest.param(
            four_3090s(),
            {"a": given_model(5, replicas=5)},
            "gpus-short",
            "engine: llama-server",
            ["a.4", "0 of 4 are free", "replicas: 4"],
            id="too many copies",
        ),
        pytest.param(
            used_by_others(ONE, {0: 15000}),
            {"a": {**QWEN_7B, "memory_utilization": 0.9}},
            "no-fit",
            "model:",
            ["other programs leave 8.9 GiB free", "0.90 of the card"],
            id="used by others",
        ),
        pytest.param(
            machine([Slot(RTX_3060, "0000:01:00.0"), Slot(RTX_3090, "0000:02:00.0")]),
            {"a": given_model(5, gpus={"model": "3090", "count": 2})},
            "gpus-short",
            "model: '3090'",
            ['2 GPUs of model "3090"', "1 of 1 is free", "gpus: 1"],
            id="fewer of that model than wanted",
        ),
        pytest.param(
            machine(),
            {"a": QWEN_7B},
            "no-gpu",
            "engine: vllm",
            ["needs a GPU, but no GPU is known on this host", "serve it elsewhere"],
            id="no GPU and an engine that needs one",
        ),
    ],
)
def test_what_is_missing(
    facts: Facts, instances: dict[str, Any], rule: str, line: str, words: list[str]
) -> None:
    (found,) = errors(instances, facts)
    assert found.rule == rule
    assert found.place is not None and line in found.place.text
    text = f"{found.message} | {found.hint}"
    for word in words:
        assert word in text


def test_one_that_finds_nothing_is_named_and_not_the_others() -> None:
    found = errors({"a": given_model(5), "b": given_model(200), "c": given_model(5)}, four_3090s())
    assert [one.message.partition(":")[0] for one in found] == ["b.0"]


def test_each_that_finds_nothing_is_named() -> None:
    found = errors({"a": given_model(300), "b": given_model(200)}, four_3090s())
    assert sorted(one.message.partition(":")[0] for one in found) == ["a.0", "b.0"]


def test_all_that_fit_alone_but_not_together_are_named() -> None:
    """Each one finds a place after the others in the order of claims, only not all at once."""
    facts = machine([Slot(RTX_3090, "0000:01:00.0", 0), Slot(RTX_3060, "0000:02:00.0", 1)], nodes=2)
    wanted = {
        "a": given_model(14),
        "b": given_model(5, gpus={"node": 0}),
    }
    (found,) = errors(wanted, facts)
    text = f"{found.message} | {found.hint}"
    assert "a.0" in text and "b.0" in text


def test_copies_are_complained_about_once() -> None:
    found = errors({"a": given_model(60, gpus=1, replicas=3)}, four_3090s())
    assert len(found) == 1


def test_a_refusal_comes_at_once_also_on_a_large_host() -> None:
    slots = [Slot(RTX_3090, f"0000:{at:02x}:00.0", at // 8) for at in range(1, 17)]
    facts = machine(slots, nodes=2)
    (found,) = errors({"a": given_model(1000)}, facts)
    assert "16 x 23.5 GiB" in found.message

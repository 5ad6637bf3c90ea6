"""What holds for the memory of every model, engine and split."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.models.memory.need import Load, need, need_on_cpu
from provision.models.memory.split import Split
from provision.models.shape import Shape

from .shapes import (
    SHAPES,
    stored,
)

LOADS = st.builds(
    Load,
    engine=st.sampled_from(["vllm", "sglang", "llama-server", "ollama", "tabbyapi"]),
    context=st.integers(128, 200_000),
    parallel=st.integers(1, 64),
    kv_type=st.just("f16"),
    flash_attention=st.booleans(),
)


@given(
    shape=st.sampled_from(SHAPES),
    load=LOADS,
    split=st.sampled_from([Split(), Split(pipeline=2), Split(offloaded=8)]),
    context=st.integers(0, 200_000),
    parallel=st.integers(0, 64),
)
@settings(max_examples=150, deadline=None)
def test_more_context_or_requests_never_need_less(
    shape: Shape, load: Load, split: Split, context: int, parallel: int
) -> None:
    model = stored(shape)
    more = replace(load, context=load.context + context, parallel=load.parallel + parallel)
    less, greater = need([model], load, split), need([model], more, split)
    for a, b in zip(less.gpus, greater.gpus, strict=True):
        assert a.bytes <= b.bytes
    assert less.ram_bytes <= greater.ram_bytes
    assert need_on_cpu([model], load).ram_bytes <= need_on_cpu([model], more).ram_bytes


@given(shape=st.sampled_from(SHAPES), load=LOADS)
@settings(max_examples=60, deadline=None)
def test_a_wider_cache_never_needs_less(shape: Shape, load: Load) -> None:
    types = ("q4_0", "q8_0", "f16") if load.engine in ("llama-server", "ollama") else ("fp8", "f16")
    found = [
        need([stored(shape)], replace(load, kv_type=kv_type), Split()).gpus[0].bytes
        for kv_type in types
    ]
    assert found == sorted(found)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "llama-server", "ollama", "tabbyapi"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_part_is_reckoned_aloud_and_bounded(engine: str, shape: Shape) -> None:
    found = need([stored(shape)], Load(engine, 8192, 4), Split(pipeline=2))
    for each in (*found.ram, *(p for gpu in found.gpus for p in gpu.parts)):
        assert each.note
        assert each.bytes >= 0
        assert each.error >= 0
    assert found == need([stored(shape)], Load(engine, 8192, 4), Split(pipeline=2))

"""The KV cache by architecture: grouped-query, latent, windows, states, engines' rounding."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.models.memory.kv import Cache, cache_of, has_cache, kinds, kv_bytes
from provision.models.memory.need import Load
from provision.models.memory.split import Split
from provision.models.shape import Latent, Recurrent, Shape, Window

LLAMA_70B = Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256)
DEEPSEEK = Shape(
    "deepseek2", 61, 7168, 128, 128, 192, 18432, 129280, value_dim=128,
    latent=Latent(512, 64, 128, 128, 1536),
)  # fmt: skip
GEMMA_27B = Shape(
    "gemma3", 62, 5376, 32, 16, 128, 21504, 262208, window=Window(1024, 52), context=131072
)
GPT_OSS = Shape("gpt-oss", 24, 2880, 64, 8, 64, 0, 201088, window=Window(128, 12))
QWEN_NEXT = Shape("qwen3next", 48, 2048, 16, 2, 256, 5120, 151936, recurrent=Recurrent(36, 1000))
VLLM = Load("vllm", 8192, 256)
LLAMA = Load("llama-server", 8192, 1)


def whole(shape: Shape, load: Load, split: Split | None = None) -> Cache:
    return cache_of(shape, load, split or Split(), 0, shape.layers)


@pytest.mark.parametrize(
    ("kv_type", "size"),
    [("f16", 327_680), ("bf16", 327_680), ("fp8", 163_840), ("q8_0", 174_080), ("q4_0", 92_160)],
)
def test_a_token_of_llama_70b(kv_type: str, size: int) -> None:
    assert whole(LLAMA_70B, replace(LLAMA, kv_type=kv_type)).token == size


def test_latent_attention_keeps_one_vector_on_every_rank() -> None:
    assert whole(DEEPSEEK, VLLM).token == 70_272
    assert whole(DEEPSEEK, VLLM, Split(tensor=8)).token == 70_272


@pytest.mark.parametrize(
    ("tensor", "size"), [(2, 163_840), (8, 40_960), (16, 40_960), (3, 122_880)]
)
def test_kv_heads_are_divided_and_at_least_one_is_held(tensor: int, size: int) -> None:
    assert whole(LLAMA_70B, VLLM, Split(tensor=tensor)).token == size


def test_keys_and_values_may_differ_in_width() -> None:
    shape = Shape("llama", 1, 64, 4, 2, 192, 64, 100, value_dim=128)
    assert whole(shape, LLAMA).token == 2 * (192 + 128) * 2


def test_a_window_keeps_its_tokens_and_one_step() -> None:
    cache = whole(GPT_OSS, LLAMA)
    layer = 8 * 64 * 2 * 2
    assert (cache.token, cache.window_token) == (12 * layer, 12 * layer)
    assert cache.window == 768  # 128 + 512 in whole 256
    assert cache.request(8192) == 12 * layer * 8192 + 12 * layer * 768
    assert cache.request(256) == 24 * layer * 256


def test_vllm_keeps_a_window_with_its_own_step_in_blocks_of_16() -> None:
    cache = whole(GPT_OSS, replace(VLLM, batch_tokens=8192))
    assert cache.window == 8320
    assert cache.request(16_001) == 12 * 2048 * 16_016 + 12 * 2048 * 8320


def test_vllm_pads_groups_of_layers_with_windows() -> None:
    """Gemma 3 27B: 10 layers see all, 52 have a window: 6 groups of 10, 8 of them padding."""
    layer = 16 * 128 * 2 * 2
    assert whole(GEMMA_27B, VLLM).window_token == 60 * layer
    assert whole(GEMMA_27B, LLAMA).window_token == 52 * layer


def test_the_whole_context_is_kept_when_a_window_never_closes_or_swa_full_is_set() -> None:
    layer = 8 * 64 * 2 * 2
    for load in (replace(LLAMA, context=128), replace(LLAMA, full_window=True)):
        cache = whole(GPT_OSS, load)
        assert (cache.token, cache.window_token, cache.per_request) == (24 * layer, 0, 0)


def test_recurrent_layers_keep_a_state_for_each_request() -> None:
    cache = whole(QWEN_NEXT, LLAMA)
    assert cache.token == 12 * 2 * 512 * 2
    assert cache.per_request == 36_000
    assert whole(QWEN_NEXT, VLLM, Split(tensor=2)).state == 18_000


def test_kinds_follow_the_regular_pattern() -> None:
    assert [kinds(QWEN_NEXT, first, first + 4) for first in (0, 4, 44)] == [(1, 0, 3)] * 3
    assert kinds(GEMMA_27B, 0, 62) == (10, 52, 0)


@given(
    layers=st.integers(1, 90),
    data=st.data(),
)
def test_stages_together_have_all_layers_of_each_kind(layers: int, data: st.DataObject) -> None:
    windowed = data.draw(st.integers(0, layers))
    shape = Shape("llama", layers, 64, 4, 2, 16, 64, 100, window=Window(32, windowed))
    cuts = sorted(data.draw(st.lists(st.integers(0, layers), max_size=5)))
    ends = [0, *cuts, layers]
    found = [kinds(shape, a, b) for a, b in pairwise(ends)]
    assert all(min(part) >= 0 for part in found)
    assert [sum(column) for column in zip(*found, strict=True)] == [layers - windowed, windowed, 0]


def test_encoders_keep_nothing() -> None:
    bert = Shape("nomic-bert", 12, 768, 12, 12, 64, 3072, 30522)
    assert not has_cache(bert)
    assert whole(bert, LLAMA) == Cache()
    assert has_cache(LLAMA_70B)


def test_an_unknown_type_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'q3' is not one of .*q4_0"):
        kv_bytes(32, "q3")


def test_the_note_reckons_aloud() -> None:
    assert whole(LLAMA_70B, LLAMA).note == "80 layers x 8 KV heads x 128 x 2 x 2 B a token"
    assert "61 layers x (512 + 64) x 2 B" in whole(DEEPSEEK, VLLM).note
    assert "for the last 128 tokens" in whole(GPT_OSS, VLLM).note

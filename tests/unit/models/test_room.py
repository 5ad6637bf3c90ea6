"""How many tokens fit into what is left, against reckoning them the slow way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.models.formats.stored import weigh_stored
from provision.models.memory.need import UNBOUNDED, GpuNeed, Load, Need, Part, kv_tokens, need
from provision.models.memory.split import Split
from provision.models.model import Model
from provision.models.shape import Shape
from provision.models.weights import Quantisation

GIB = 1 << 30
LLAMA_70B = Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256, context=131072)
BERT = Shape("bert", 12, 768, 12, 12, 64, 3072, 30522, context=512)
VLLM = Load("vllm", 8192, 256)


def stored(shape: Shape) -> Model:
    weights = weigh_stored(shape, Quantisation("safetensors", "BF16"))
    return Model(shape.architecture, shape.architecture, "catalogue", weights, shape)


def cost(gpu: GpuNeed, requests: int, tokens: int) -> int:
    """What so many requests of so many tokens each take, said the slow way."""
    windows = sum(min(tokens, most) * price for most, price in gpu.kv_windows)
    states = gpu.kv_bytes_per_request - sum(most * price for most, price in gpu.kv_windows)
    return gpu.fixed + requests * (tokens * gpu.kv_bytes_per_token + windows + states)


@given(
    per_token=st.integers(1, 500),
    windows=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 300)), max_size=3),
    state=st.integers(0, 5000),
    room=st.integers(0, 3_000_000),
    parallel=st.integers(1, 40),
)
def test_kv_tokens_are_all_that_fit(
    per_token: int, windows: list[tuple[int, int]], state: int, room: int, parallel: int
) -> None:
    per_request = state + sum(tokens * price for tokens, price in windows)
    gpu = GpuNeed((Part("weights", 1000),), per_token, per_request, tuple(windows))
    found = kv_tokens(Need((gpu,)), [1000 + room], parallel)
    if found:
        assert cost(gpu, parallel, found // parallel) <= 1000 + room
    assert cost(gpu, parallel, found // parallel + 1) > 1000 + room


def test_the_rank_with_the_least_room_decides() -> None:
    found = need([stored(LLAMA_70B)], VLLM, Split(tensor=4))
    room = found.gpus[0].fixed + 10 * GIB
    assert kv_tokens(found, [room] * 4, 256) == 10 * GIB // 81_920
    assert kv_tokens(found, [room, room, room, room - 5 * GIB], 256) == 5 * GIB // 81_920
    assert kv_tokens(found, [GIB] * 4, 256) == 0


def test_encoders_are_not_limited_by_tokens() -> None:
    model = replace(stored(BERT), embeds=True)
    found = need([model], Load("vllm", 512, 16), Split())
    assert found.gpus[0].kv_bytes_per_token == 0
    assert kv_tokens(found, [8 * GIB], 16) == UNBOUNDED


def test_a_budget_for_each_gpu_is_demanded() -> None:
    with pytest.raises(ValueError, match="1 budgets for 2 GPUs"):
        kv_tokens(need([stored(LLAMA_70B)], VLLM, Split(tensor=2)), [GIB], 1)

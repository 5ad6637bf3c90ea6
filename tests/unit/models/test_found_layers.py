"""Headers whose layers differ: windows, states, pruned and shared caches."""

from __future__ import annotations

from provision.models.identity.found_gguf import gguf_shape
from provision.models.shape import Recurrent, Window

from .headers import SMALL, header, kv_elements


def test_gguf_window_with_heads_of_its_own() -> None:
    """Gemma 4 31B: 16 heads of 256 in the window, 4 of 512 in every sixth layer."""
    pattern = (1, 1, 1, 1, 1, 0) * 10
    shape = gguf_shape(
        header("gemma4", block_count=60, embedding_length=5376, attention__head_count=32,
              attention__head_count_kv=tuple(16 if one else 4 for one in pattern),
              attention__key_length=512, attention__value_length=512,
              attention__key_length_swa=256, attention__value_length_swa=256,
              attention__sliding_window=1024, attention__sliding_window_pattern=pattern)
    )  # fmt: skip
    assert (shape.kv_heads, shape.head_dim) == (4, 512)
    assert shape.window is not None
    assert shape.window.layers == 50
    # With the step of 512 tokens beside it, as llama.cpp allocates it, the cache is exact.
    elements = shape.kv_heads * 2 * shape.head_dim
    assert (shape.window.tokens + 512) * elements == (1024 + 512) * 16 * 2 * 256


def test_gguf_layers_without_attention() -> None:
    """Llama-3.3-Nemotron-Super-49B: pruned layers have no keys and values at all."""
    heads = (8,) * 5 + (0,) * 3
    found = header("deci", block_count=8, embedding_length=8192, attention__head_count_kv=heads,
                  attention__head_count=(64,) * 5 + (0,) * 3)  # fmt: skip
    shape = gguf_shape(found)
    assert (shape.heads, shape.kv_heads, shape.recurrent) == (64, 8, Recurrent(3, 0))
    assert kv_elements(shape, 10) == 10 * 5 * 8 * 2 * 128


def test_gguf_heads_that_vary_are_a_mean_rounded_up() -> None:
    """OpenELM: the cache comes out at least as large as it is, less than a head a layer more."""
    heads = (3, 3, 3, 4, 4, 4, 5, 5)
    shape = gguf_shape(
        header("openelm", **{**SMALL, "attention__head_count": (12, 12, 12, 16, 16, 16, 20, 20)},
              attention__head_count_kv=heads, attention__key_length=64,
              attention__value_length=64)
    )  # fmt: skip
    assert shape.heads == 20
    assert sum(heads) * 128 <= kv_elements(shape, 1) < (sum(heads) + 8) * 128


def test_gguf_hybrid_by_interval() -> None:
    """Qwen3-Next-80B-A3B: three of four layers are gated delta nets, state and convolution F32."""
    shape = gguf_shape(
        header("qwen3next", block_count=48, embedding_length=2048, attention__head_count=16,
              attention__head_count_kv=2, attention__key_length=256, attention__value_length=256,
              ssm__state_size=128, ssm__inner_size=4096, ssm__group_count=16,
              ssm__time_step_rank=32, ssm__conv_kernel=4)
    )  # fmt: skip
    assert shape.recurrent is not None
    assert shape.recurrent.layers == 36
    assert shape.recurrent.state_bytes == 4 * (3 * 8192 + 32 * 128 * 128)
    assert kv_elements(shape, 1) == 12 * 2 * 512


def test_gguf_hybrid_by_heads_of_each_layer() -> None:
    """Nemotron-H: M has a state, - neither; here M - M * in turn."""
    found = header("nemotron_h", **SMALL, attention__head_count_kv=(0, 0, 0, 8) * 2,
                  feed_forward_length=(0, 2048, 0, 0) * 2, ssm__state_size=128,
                  ssm__inner_size=1024, ssm__group_count=8, ssm__conv_kernel=4)  # fmt: skip
    shape = gguf_shape(found)
    state = 4 * (3 * (1024 + 2 * 8 * 128) + 128 * 1024)
    assert shape.recurrent is not None
    assert shape.recurrent.layers == 6
    assert shape.recurrent.layers * shape.recurrent.state_bytes - 4 * state in range(6)
    assert kv_elements(shape, 1) == 2 * 8 * 128


def test_gguf_without_any_attention() -> None:
    shape = gguf_shape(
        header("mamba", block_count=64, embedding_length=2560, attention__head_count=0,
              ssm__state_size=16, ssm__inner_size=5120, ssm__conv_kernel=4)
    )  # fmt: skip
    assert kv_elements(shape, 1000) == 0
    assert shape.recurrent is not None
    assert (shape.recurrent.layers, shape.recurrent.state_bytes) == (64, 4 * 5120 * (3 + 16))


def test_gguf_shared_caches_and_prediction_layers() -> None:
    shared = gguf_shape(
        header("gemma3n", **{**SMALL, "block_count": 35}, attention__head_count_kv=2,
              attention__key_length=256, attention__value_length=256,
              attention__sliding_window=512, attention__shared_kv_layers=15)
    )  # fmt: skip
    assert (shared.window, shared.recurrent) == (Window(512, 16), Recurrent(15, 0))
    ahead = gguf_shape(header("glm4moe", **{**SMALL, "block_count": 47}, nextn_predict_layers=1))
    assert ahead.layers == 46

"""Shapes from the headers of published GGUF files."""

from __future__ import annotations

import dataclasses

import pytest

from provision.host.facts import ModelFound
from provision.models.catalogue import catalogue, find
from provision.models.identity.found_gguf import gguf_quantisation, gguf_shape
from provision.models.identity.keys import UnclearError
from provision.models.shape import Experts, Latent, Shape, Window
from provision.models.weights import Quantisation

from .headers import SMALL, Value, header, kv_elements


def _ignored(shape: Shape) -> bool:
    """A window that llama.cpp does not know of."""
    return shape.window is not None and shape.architecture in ("llama", "starcoder2", "mllama")


def test_gguf_llama() -> None:
    shape = gguf_shape(
        header("llama", block_count=80, embedding_length=8192, feed_forward_length=28672,
              attention__head_count=64, attention__head_count_kv=8, context_length=131072)
    )  # fmt: skip
    assert shape == Shape("llama", 80, 8192, 64, 8, 128, 28672, 1000, context=131072)


def test_gguf_experts() -> None:
    shape = gguf_shape(
        header("qwen3moe", block_count=48, embedding_length=2048, feed_forward_length=6144,
              attention__head_count=32, attention__head_count_kv=4, attention__key_length=128,
              attention__value_length=128, expert_count=128, expert_used_count=8,
              expert_feed_forward_length=768)
    )  # fmt: skip
    assert (shape.ffn, shape.experts) == (0, Experts(128, 8, 768))
    assert (shape.head_dim, shape.value_dim) == (128, None)
    mixtral = gguf_shape(
        header("llama", block_count=32, embedding_length=4096, feed_forward_length=14336,
              attention__head_count=32, attention__head_count_kv=8, expert_count=8,
              expert_used_count=2)
    )  # fmt: skip
    assert (mixtral.ffn, mixtral.experts) == (0, Experts(8, 2, 14336))


_DEEPSEEK: dict[str, object] = {
    "block_count": 61, "embedding_length": 7168, "feed_forward_length": 18432,
    "attention__head_count": 128, "attention__q_lora_rank": 1536, "attention__kv_lora_rank": 512,
    "rope__dimension_count": 64, "expert_count": 256, "expert_used_count": 8,
    "expert_feed_forward_length": 2048, "expert_shared_count": 1, "leading_dense_block_count": 3,
}  # fmt: skip


def test_gguf_latent_attention() -> None:
    shape = gguf_shape(
        header("deepseek2", **_DEEPSEEK, attention__head_count_kv=1, attention__key_length=576,
              attention__value_length=512, attention__key_length_mla=192,
              attention__value_length_mla=128)
    )  # fmt: skip
    assert shape.latent == Latent(512, 64, 128, 128, 1536)
    assert shape.experts == Experts(256, 8, 2048, 2048, 3)
    assert shape.ffn == 18432
    assert kv_elements(shape, 1) == 61 * 576
    listed = find("DeepSeek-V3")
    assert listed is not None
    assert dataclasses.replace(shape, vocab=129280, context=listed.shape.context) == (
        dataclasses.replace(listed.shape, other_parameters=0)
    )


def test_gguf_from_before_latent_attention_keeps_every_head() -> None:
    """llama.cpp then caches 128 heads of 192 + 128 elements: 4.9 MB a token in F16."""
    shape = gguf_shape(
        header("deepseek2", **_DEEPSEEK, attention__head_count_kv=128, attention__key_length=192,
              attention__value_length=128)
    )  # fmt: skip
    assert shape.latent is None
    assert kv_elements(shape, 1) == 61 * 128 * (192 + 128)


@pytest.mark.parametrize(
    ("architecture", "layers", "key", "windowed"),
    [
        ("gemma2", 42, 4096, 21),
        ("gemma3", 62, 1024, 52),
        ("gemma3", 34, 1024, 29),
        ("gpt-oss", 24, 128, 12),
        ("cohere2", 32, 4096, 24),
        ("phi3", 32, 2047, 0),  # llama.cpp gives up on it
        ("llama", 32, 4096, 0),  # Mistral v0.1
    ],
)
def test_gguf_windows_by_architecture(
    architecture: str, layers: int, key: int, windowed: int
) -> None:
    found = header(architecture, **{**SMALL, "block_count": layers}, attention__sliding_window=key)
    assert gguf_shape(found).window == (Window(key, windowed) if windowed else None)


def test_gguf_windows_by_pattern() -> None:
    listed = header("new", **SMALL, attention__sliding_window=512,
                   attention__sliding_window_pattern=(1, 1, 1, 0, 1, 1, 1, 0))  # fmt: skip
    assert gguf_shape(listed).window == Window(512, 6)
    period = header("new", **SMALL, attention__sliding_window=512,
                   attention__sliding_window_pattern=4)  # fmt: skip
    assert gguf_shape(period).window == Window(512, 6)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"block_count": None}, "it does not say llama.block_count"),
        ({"block_count": -3}, "its llama.block_count is -3"),
        ({"block_count": 10**9}, "its llama.block_count is 1000000000"),
        ({"embedding_length": "wide"}, "its llama.embedding_length is wide"),
        ({"attention__head_count": 0}, "its llama.attention.head_count is missing or 0"),
    ],
)
def test_gguf_that_does_not_tell(change: dict[str, object], why: str) -> None:
    with pytest.raises(UnclearError) as caught:
        gguf_shape(header("llama", **{**SMALL, **change}))
    assert str(caught.value) == why


def test_gguf_that_is_no_model() -> None:
    with pytest.raises(UnclearError, match="projector"):
        gguf_shape(header("clip"))


@pytest.mark.parametrize(
    "name",
    [one.name for one in catalogue()
     if one.shape.recurrent is None and one.shape.latent is None and not _ignored(one.shape)],
)  # fmt: skip
def test_catalogue_and_headers_agree_on_the_cache(name: str) -> None:
    """A header with the catalogue's numbers; windows and their layers come from our own rules."""
    listed = find(name)
    assert listed is not None
    shape = listed.shape
    keys: dict[str, object] = {
        "block_count": shape.layers, "embedding_length": shape.hidden,
        "attention__head_count": shape.heads, "attention__head_count_kv": shape.kv_heads,
        "attention__key_length": shape.head_dim, "feed_forward_length": shape.ffn,
        "attention__value_length": shape.value_dim or shape.head_dim,
    }  # fmt: skip
    if shape.window:
        keys["attention__sliding_window"] = shape.window.tokens
    ours = gguf_shape(header(shape.architecture, **keys))
    for context in (100, 4096, 131072):
        assert kv_elements(ours, context) == kv_elements(shape, context)


@pytest.mark.parametrize(
    ("number", "weights", "name"),
    [
        (15, {}, "Q4_K_M"),
        (7, {"F32": 9, "Q8_0": 10}, "Q8_0"),
        (1024 + 18, {}, "Q6_K"),
        (4, {"MXFP4": 10}, "MXFP4"),
        (9999, {"F32": 5, "IQ4_XS": 100}, "IQ4_XS"),
        (None, {"BF16": 100, "F32": 5}, "BF16"),
    ],
)
def test_gguf_quantisation(number: int | None, weights: dict[str, int], name: str) -> None:
    settings: dict[str, Value] = {} if number is None else {"general.file_type": number}
    found = ModelFound("gguf", settings=settings, weights=weights)
    assert gguf_quantisation(found) == Quantisation("gguf", name)

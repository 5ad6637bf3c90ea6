"""Bytes of safetensors and ExLlama files against the totals that their publishers state.

The totals are `metadata.total_size` of model.safetensors.index.json at the Hub, or the sum of the
files where there is no index.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.models.formats.stored import predicts_ahead, sees, weigh_stored
from provision.models.formats.weigh import UnknownQuantisationError
from provision.models.shape import Experts, Latent, Shape, Window
from provision.models.weights import Quantisation, WeightFormat, Weights

LLAMA_8B = Shape("llama", 32, 4096, 32, 8, 128, 14336, 128256)
LLAMA_70B = Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256)
LLAMA_405B = Shape("llama", 126, 16384, 128, 8, 128, 53248, 128256)
LLAMA_1B = Shape("llama", 16, 2048, 32, 8, 64, 8192, 128256, tied=True)
QWEN_72B = Shape("qwen2", 80, 8192, 64, 8, 128, 29568, 152064)
MIXTRAL = Shape("llama", 32, 4096, 32, 8, 128, 0, 32000, experts=Experts(8, 2, 14336))
GPT_OSS_20B = Shape(
    "gpt-oss", 24, 2880, 64, 8, 64, 0, 201088,
    experts=Experts(32, 4, 2880), window=Window(128, 12),
)  # fmt: skip
GPT_OSS_120B = replace(
    GPT_OSS_20B, layers=36, experts=Experts(128, 4, 2880), window=Window(128, 18)
)
DEEPSEEK_V3 = Shape(
    "deepseek2", 61, 7168, 128, 128, 192, 18432, 129280, value_dim=128,
    experts=Experts(256, 8, 2048, shared_ffn=2048, dense_layers=3),
    latent=Latent(512, 64, 128, 128, 1536), other_parameters=13_463_000_000,
)  # fmt: skip


def weights(
    shape: Shape,
    name: str,
    stored: WeightFormat = "safetensors",
    bits: float | None = None,
    group: int | None = None,
) -> Weights:
    return weigh_stored(shape, Quantisation(stored, name, bits, group))


@pytest.mark.parametrize(
    ("shape", "name", "published"),
    [
        (LLAMA_8B, "BF16", 16_060_522_496),
        (LLAMA_70B, "BF16", 141_107_412_992),
        (LLAMA_70B, "AWQ", 39_767_785_472),
        (GPT_OSS_20B, "MXFP4", 13_761_264_768),
        (GPT_OSS_120B, "MXFP4", 65_248_815_744),
    ],
)
def test_layouts_that_are_fully_known_are_exact(shape: Shape, name: str, published: int) -> None:
    assert weights(shape, name).total == published


@pytest.mark.parametrize(
    ("shape", "name", "published", "within"),
    [
        (DEEPSEEK_V3, "FP8", 688.59e9, 0.001),  # with the layer for multi-token prediction
        (QWEN_72B, "AWQ", 41.6e9, 0.01),  # padded from 29568 to 29696
        (LLAMA_8B, "FP8", 9.08e9, 0.01),
        (LLAMA_405B, "FP8", 410e9, 0.01),
        (LLAMA_8B, "BNB-4", 5.70e9, 0.01),
        (MIXTRAL, "AWQ", 24.65e9, 0.01),
    ],
)
def test_others_are_near_what_is_published(
    shape: Shape, name: str, published: float, within: float
) -> None:
    assert weights(shape, name).total == pytest.approx(published, rel=within)


@pytest.mark.parametrize(
    "name",
    [
        "BF16",
        "F16",
        "F32",
        "FP8",
        "FP8-FBGEMM",
        "AWQ",
        "GPTQ",
        "GPTQ-8",
        "INT8",
        "INT4",
        "BNB-4",
        "BNB-8",
        "MXFP4",
        "NVFP4",
    ],
)
@pytest.mark.parametrize("shape", [LLAMA_8B, LLAMA_1B, MIXTRAL, GPT_OSS_20B, DEEPSEEK_V3])
def test_the_parts_add_up(shape: Shape, name: str) -> None:
    found = weights(shape, name)
    assert found.total == found.embedding + found.output + sum(found.layers) + found.other
    assert len(found.layers) == shape.layers
    assert all(size > 0 for size in found.layers)
    assert 0 < found.read_per_token <= found.total
    assert found.experts <= sum(found.layers)
    assert (found.experts > 0) == (shape.experts is not None)
    assert (found.output == 0) == shape.tied


def test_a_tied_head_is_read_in_full_for_each_token() -> None:
    found = weights(LLAMA_1B, "BF16")
    assert found.embedding == 2 * 128256 * 2048
    assert found.read_per_token == found.total - found.other


def test_a_token_reads_its_own_experts_only() -> None:
    found = weights(MIXTRAL, "BF16")
    expert = 2 * 3 * 4096 * 14336
    assert found.experts == 32 * 8 * expert
    unread = 32 * 6 * expert
    assert found.read_per_token == found.total - unread - found.embedding - found.other


def test_tables_stay_in_16_bits_when_layers_are_quantised() -> None:
    found = weights(LLAMA_8B, "AWQ")
    assert found.embedding == found.output == 2 * 128256 * 4096


def test_gptq_has_a_group_number_for_each_input_column_besides_what_awq_has() -> None:
    columns = 80 * (4 * 8192 + 2 * 8192 + 28672)
    assert weights(LLAMA_70B, "GPTQ").total - weights(LLAMA_70B, "AWQ").total == 4 * columns


def test_smaller_groups_have_more_scales() -> None:
    fine, usual = weights(LLAMA_8B, "AWQ", group=32), weights(LLAMA_8B, "AWQ")
    linear = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    assert fine.total - usual.total == linear * 20 // 8 * 3 // 128


def test_fbgemm_leaves_attention_in_16_bits() -> None:
    attention = 126 * (2 * 16384 * 16384 + 2 * 16384 * 1024)
    more = weights(LLAMA_405B, "FP8-FBGEMM").total - weights(LLAMA_405B, "FP8").total
    assert more == pytest.approx(attention, rel=0.001)


def test_exllama_bits_count_for_the_layers_and_the_head_has_its_own() -> None:
    found = weights(LLAMA_70B, "EXL2", "exl2", bits=4.0)
    assert found.output == 128256 * 8192 * 6 // 8
    assert found.embedding == 128256 * 8192 * 2
    assert sum(found.layers) == pytest.approx(80 * 855_638_016 / 2, rel=0.001)
    assert weights(LLAMA_70B, "EXL2", "exl2", bits=8.0).output == 128256 * 8192


def test_exllama_stores_a_head_for_tied_models_too() -> None:
    found = weights(LLAMA_1B, "EXL3", "exl3", bits=4.0)
    assert found.output == 128256 * 2048 * 6 // 8


@pytest.mark.parametrize(
    ("stored", "name"), [("safetensors", "Q4_K_M"), ("exl2", "EXL2"), ("safetensors", "HQQ")]
)
def test_an_unknown_layout_is_an_error(stored: WeightFormat, name: str) -> None:
    with pytest.raises(UnknownQuantisationError, match="not known"):
        weights(LLAMA_8B, name, stored)


def test_what_lies_outside_of_the_layers_is_told_apart() -> None:
    assert predicts_ahead(DEEPSEEK_V3)
    assert not sees(DEEPSEEK_V3)
    gemma = Shape("gemma3", 62, 5376, 32, 16, 128, 21504, 262208, other_parameters=420_000_000)
    assert sees(gemma)
    assert weights(gemma, "AWQ").other == 2 * 420_000_000 + 2 * 5376
    assert not sees(LLAMA_8B)
    assert not predicts_ahead(LLAMA_8B)

"""Which type each tensor gets: the rules one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.models.formats.mixes import typed
from provision.models.formats.mixnames import Mix, mix_named
from provision.models.shape import Shape

from .published import SHAPES


def types(shape: Shape, name: str, tensor: str) -> list[str]:
    """Of the tensors of this name, in the order of layers."""
    mix = mix_named(name)
    assert mix is not None
    return [kind.name for listed, kind in typed(shape, mix) if listed.name == tensor]


def more(shape: Shape, name: str, tensor: str, kind: str) -> list[int]:
    return [layer for layer, got in enumerate(types(shape, name, tensor)) if got == kind]


LLAMA = SHAPES["Llama-3.1-8B"]
MORE_BITS_OF_32 = [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]


@pytest.mark.parametrize("tensor", ["attn_v", "ffn_down"])
@pytest.mark.parametrize("name", ["Q4_K_M", "Q5_K_M"])
def test_half_of_the_layers_get_more_bits(name: str, tensor: str) -> None:
    assert more(LLAMA, name, tensor, "Q6_K") == MORE_BITS_OF_32


def test_small_mixes_only_look_at_the_first_layers() -> None:
    assert more(LLAMA, "Q4_K_S", "attn_v", "Q5_K") == [0, 1, 2, 3]
    assert more(LLAMA, "Q4_K_S", "ffn_down", "Q5_K") == [0, 1, 2, 3]
    assert set(types(LLAMA, "Q5_K_S", "ffn_down")) == {"Q5_K"}
    assert set(types(LLAMA, "Q3_K_S", "ffn_down")) == {"Q3_K"}


def test_three_bits() -> None:
    assert types(LLAMA, "Q3_K_M", "attn_v")[:3] == ["Q5_K", "Q5_K", "Q4_K"]
    assert types(LLAMA, "Q3_K_M", "ffn_down")[:3] == ["Q5_K", "Q5_K", "Q4_K"]
    assert set(types(LLAMA, "Q3_K_M", "attn_output")) == {"Q4_K"}
    assert set(types(LLAMA, "Q3_K_L", "ffn_down")) == {"Q5_K"}
    assert set(types(LLAMA, "Q3_K_M", "ffn_up")) == {"Q3_K"}


def test_two_bits_depend_on_grouped_queries() -> None:
    assert set(types(LLAMA, "Q2_K", "attn_v")) == {"Q4_K"}
    assert set(types(replace(LLAMA, kv_heads=32), "Q2_K", "attn_v")) == {"Q3_K"}


def test_the_head_and_a_table_that_serves_as_head() -> None:
    assert types(LLAMA, "Q4_K_M", "output") == ["Q6_K"]
    assert types(LLAMA, "Q4_K_M", "token_embd") == ["Q4_K"]
    assert types(SHAPES["Llama-3.2-1B"], "Q4_K_M", "token_embd") == ["Q6_K"]
    assert types(LLAMA, "Q4_0", "output") == ["Q6_K"]
    assert types(LLAMA, "IQ2_XS", "output") == ["Q5_K"]
    assert types(LLAMA, "IQ2_XS", "token_embd") == ["Q2_K"]
    assert types(SHAPES["Falcon-7B"], "Q4_0", "output") == ["Q8_0"]


def test_seventy_billion() -> None:
    large, plain = SHAPES["Llama-3.1-70B"], replace(SHAPES["Llama-3.1-70B"], layers=81)
    assert set(types(large, "Q4_K_M", "attn_v")) == {"Q5_K", "Q6_K"}
    assert set(types(plain, "Q4_K_M", "attn_v")) == {"Q4_K", "Q6_K"}
    assert set(types(SHAPES["Qwen2.5-72B"], "Q3_K_S", "attn_v")) == {"Q5_K"}
    assert set(types(replace(large, kv_heads=64), "Q4_K_S", "attn_v")[4:]) == {"Q4_K"}


def test_eight_experts() -> None:
    mixtral = SHAPES["Mixtral-8x7B"]
    assert set(types(mixtral, "Q4_K_M", "attn_v")) == {"Q8_0"}
    assert set(types(mixtral, "Q4_K_M", "attn_k")) == {"Q8_0"}
    assert set(types(mixtral, "Q4_K_M", "attn_output")) == {"Q5_K"}
    assert set(types(mixtral, "Q5_K_M", "attn_output")) == {"Q5_K"}
    assert set(types(mixtral, "Q6_K", "attn_output")) == {"Q6_K"}


def test_falcon_has_rules_of_its_own() -> None:
    falcon = replace(SHAPES["Falcon-7B"], hidden=4608)  # wide enough for blocks of 256
    down = types(falcon, "Q4_K_M", "ffn_down")
    assert down[:2] == ["Q6_K", "Q6_K"]
    assert set(down[2:]) == {"Q4_K", "Q5_K"}


def test_fused_attention() -> None:
    assert set(types(SHAPES["Phi-4"], "Q4_K_M", "attn_qkv")) == {"Q5_K"}
    assert set(types(SHAPES["Phi-4"], "Q5_K_M", "attn_qkv")) == {"Q6_K"}


def test_narrow_rows_fall_back() -> None:
    small = SHAPES["Qwen2.5-0.5B"]
    assert set(types(small, "Q4_K_M", "attn_q")) == {"Q5_0"}
    assert set(types(small, "Q4_K_M", "ffn_down")) == {"Q4_K", "Q6_K"}
    assert types(small, "Q4_K_M", "token_embd") == ["Q8_0"]


@pytest.mark.parametrize("name", ["Q2_K", "Q4_K_M", "Q8_0", "F16", "BF16"])
@pytest.mark.parametrize("tensor", ["attn_norm", "ffn_gate_inp", "exp_probs_b.bias"])
def test_what_is_never_quantised(name: str, tensor: str) -> None:
    assert set(types(SHAPES["DeepSeek-R1"], name, tensor)) == {"F32"}


def test_positions_are_never_quantised() -> None:
    assert types(SHAPES["mxbai-embed-large"], "Q4_K_M", "position_embd") == ["F32"]
    assert types(SHAPES["mxbai-embed-large"], "F16", "token_types") == ["F32"]


@pytest.mark.parametrize("name", ["MXFP4", "Q4_K_M", "Q8_0", "F16", "BF16"])
def test_gpt_oss_keeps_its_experts(name: str) -> None:
    assert set(types(SHAPES["gpt-oss-20b"], name, "ffn_down_exps")) == {"MXFP4"}
    assert set(types(SHAPES["gpt-oss-20b"], name, "ffn_down_exps.bias")) == {"F32"}


def test_the_rest_of_gpt_oss() -> None:
    shape = SHAPES["gpt-oss-20b"]
    assert types(shape, "MXFP4", "token_embd") == types(shape, "MXFP4", "output") == ["Q8_0"]
    assert set(types(shape, "MXFP4", "attn_q")) == {"Q8_0"}
    assert set(types(shape, "MXFP4-BF16", "attn_q")) == {"BF16"}


def test_mxfp4_of_other_mixtures() -> None:
    shape = SHAPES["Qwen3-30B-A3B"]
    assert set(types(shape, "MXFP4_MOE", "ffn_up_exps")) == {"MXFP4"}
    assert set(types(shape, "MXFP4_MOE", "attn_v")) == {"Q8_0"}
    assert set(types(shape, "MXFP4-BF16", "ffn_up_exps")) == {"MXFP4"}


@pytest.mark.parametrize(
    ("written", "mix"),
    [
        ("q4_K_M", Mix("Q4_K_M", "Q4_K")),
        ("Q4_K", Mix("Q4_K_M", "Q4_K")),
        ("fp16", Mix("F16", "F16")),
        ("Q4_K_L", Mix("Q4_K_M", "Q4_K", ends="Q8_0")),
        ("Q3_K_XL", Mix("Q3_K_L", "Q3_K", ends="Q8_0")),
        ("UD-Q4_K_XL", Mix("Q4_K_M", "Q4_K", error=0.1)),
        ("Q4_K_XL", Mix("Q4_K_M", "Q4_K", error=0.1)),
        ("IQ2_M", Mix("IQ2_M", "IQ2_S")),
        ("mxfp4_moe", Mix("MXFP4", "MXFP4")),
    ],
)
def test_names(written: str, mix: Mix) -> None:
    assert mix_named(written) == mix


@pytest.mark.parametrize("written", ["UD-IQ1_S", "UD-Q8_K_XL", "AWQ", "Q9_K", ""])
def test_names_without_known_rules(written: str) -> None:
    assert mix_named(written) is None


def test_ends_of_the_large_variants() -> None:
    assert types(LLAMA, "Q4_K_L", "output") == ["Q8_0"]
    assert types(LLAMA, "Q4_K_L", "token_embd") == ["Q8_0"]
    assert more(LLAMA, "Q4_K_L", "ffn_down", "Q6_K") == MORE_BITS_OF_32

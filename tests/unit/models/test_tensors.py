"""Parameter counts as published, and the tensors that set architectures apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.models.shape import Experts, Recurrent, Shape
from provision.models.tensors import Tensor, active_parameters, known, parameters, tensors
from provision.models.tensors.layout import LAYOUTS

from .published import SHAPES

COUNTS = {
    "Llama-3.1-8B": 8030261248,
    "Llama-3.1-70B": 70553706496,
    "Llama-3.1-405B": 405853388800,
    "Llama-3.2-1B": 1235814400,
    "Llama-3.2-3B": 3212749824,
    "Llama-4-Scout": 107769861120,
    "Qwen2.5-0.5B": 494032768,
    "Qwen2.5-1.5B": 1543714304,
    "Qwen2.5-3B": 3085938688,
    "Qwen2.5-7B": 7615616512,
    "Qwen2.5-14B": 14770033664,
    "Qwen2.5-32B": 32763876352,
    "Qwen2.5-72B": 72706203648,
    "Qwen1.5-MoE": 14315784192,
    "Qwen3-0.6B": 596049920,
    "Qwen3-8B": 8190735360,
    "Qwen3-14B": 14768307200,
    "Qwen3-32B": 32762123264,
    "Qwen3-30B-A3B": 30532122624,
    "Qwen3-235B-A22B": 235093634560,
    "Mistral-7B-v0.1": 7241732096,
    "Mistral-7B-v0.3": 7248023552,
    "Mistral-Nemo": 12247782400,
    "Mistral-Small-24B": 23572403200,
    "Mixtral-8x7B": 46702792704,
    "Gemma-2-2B": 2614341888,
    "Gemma-2-9B": 9241705984,
    "Gemma-3-1B": 999885952,
    "Phi-2": 2779683840,
    "Phi-3.5-mini": 3821079552,
    "Phi-4": 14659507200,
    "gpt-oss-20b": 20914757184,
    "gpt-oss-120b": 116829156672,
    "DeepSeek-V2-Lite": 15706484224,
    "DeepSeek-R1": 671026419200,
    "Command-R7B": 8028033024,
    "StarCoder2-3B": 3030371328,
    "GLM-4-9B-Chat": 9399951360,
    "OLMo-2-1B": 1484916736,
    "OLMoE-1B-7B": 6919161856,
    "Seed-OSS-36B": 36151104512,
    "StableLM-2-1.6B": 1644515328,
    "Granite-3.3-2B": 2533539840,
    "SmolLM2-1.7B": 1711376384,
    "SmolLM3-3B": 3075098624,
    "EXAONE-4.0-1.2B": 1279391488,
}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_parameters_as_published(name: str) -> None:
    assert parameters(SHAPES[name]) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "billions"),
    [("gpt-oss-20b", 3.61), ("gpt-oss-120b", 5.13), ("Llama-3.2-1B", 1.24), ("DeepSeek-R1", 37.0)],
)
def test_active_parameters_as_published(name: str, billions: float) -> None:
    assert active_parameters(SHAPES[name]) == pytest.approx(billions * 1e9, rel=0.015)


def named(shape: Shape, layer: int | None) -> dict[str, Tensor]:
    return {tensor.name: tensor for tensor in tensors(shape) if tensor.layer == layer}


def test_latent_attention_has_keys_and_values_apart() -> None:
    layer = named(SHAPES["DeepSeek-R1"], 3)
    assert layer["attn_q_b"] == Tensor("attn_q_b", 128 * 192, 1536, 3)
    assert layer["attn_kv_a_mqa"] == Tensor("attn_kv_a_mqa", 576, 7168, 3)
    assert layer["attn_k_b"] == Tensor("attn_k_b", 128 * 512, 128, 3)
    assert layer["attn_v_b"] == Tensor("attn_v_b", 128 * 128, 512, 3)
    assert layer["exp_probs_b.bias"].elements == 256
    assert "attn_v" not in layer


def test_queries_of_the_lite_model_are_not_compressed() -> None:
    layer = named(SHAPES["DeepSeek-V2-Lite"], 1)
    assert layer["attn_q"].rows == 16 * 192
    assert not {"attn_q_a", "exp_probs_b.bias"} & set(layer)


def test_first_layers_are_dense() -> None:
    shape = SHAPES["DeepSeek-R1"]
    assert "ffn_down" in named(shape, 2)
    assert "ffn_down_exps" not in named(shape, 2)
    assert {"ffn_down_exps", "ffn_down_shexp"} <= set(named(shape, 3))


def test_experts_in_every_second_layer() -> None:
    shape = replace(SHAPES["Llama-4-Scout"], ffn=16384, experts=Experts(128, 1, 8192, 8192, 0, 2))
    assert "ffn_gate_inp" not in named(shape, 0)
    assert "ffn_gate_inp" in named(shape, 1)


def test_gpt_oss_has_biases_and_sinks() -> None:
    layer = named(SHAPES["gpt-oss-20b"], 0)
    assert layer["attn_sinks"].columns == 64
    assert layer["ffn_gate_exps"] == Tensor("ffn_gate_exps", 32 * 2880, 2880, 0, 32)
    assert layer["ffn_down_exps.bias"] == Tensor("ffn_down_exps.bias", 32, 2880, 0, 32)
    assert layer["ffn_gate_inp.bias"].columns == 32


def test_fused_projections() -> None:
    layer = named(SHAPES["Phi-4"], 0)
    assert layer["attn_qkv"].rows == (40 + 10 + 10) * 128
    assert layer["ffn_up"].rows == 2 * 17920
    assert "ffn_gate" not in layer


def test_a_tied_model_has_no_head() -> None:
    assert "output" not in named(SHAPES["Qwen3-4B"], None)
    assert "output" in named(SHAPES["Qwen3-8B"], None)


def test_encoders_have_positions_and_no_head() -> None:
    outside = named(SHAPES["mxbai-embed-large"], None)
    assert outside["position_embd"].rows == 512
    assert outside["token_types"].rows == 2
    assert not {"output", "output_norm"} & set(outside)


def test_the_larger_falcons_have_a_second_norm() -> None:
    assert "attn_norm_2" not in named(SHAPES["Falcon-7B"], 0)
    assert "attn_norm_2" in named(replace(SHAPES["Falcon-7B"], kv_heads=8), 0)


@pytest.mark.parametrize(
    ("architecture", "rows", "columns"), [("command-r", 96, 128), ("glm4moe", 1, 128)]
)
def test_norms_that_only_some_models_of_a_kind_have(
    architecture: str, rows: int, columns: int
) -> None:
    shape = Shape(architecture, 2, 12288, 96, 8, 128, 33792, 256000, tied=True)
    assert "attn_q_norm" not in named(shape, 0)
    norm = named(replace(shape, qk_norm=True), 0)["attn_q_norm"]
    assert (norm.rows, norm.columns) == (rows, columns)
    assert "attn_q_norm" not in named(replace(shape, qk_norm=False), 0)


def test_biases_can_be_set_either_way() -> None:
    shape = SHAPES["GLM-4-9B-0414"]
    assert "attn_q.bias" in named(shape, 0)
    assert "attn_q.bias" not in named(replace(shape, attention_bias=False), 0)


def test_hybrids_attend_in_every_fourth_layer() -> None:
    shape = Shape(
        *("qwen3next", 48, 2048, 16, 2, 256, 0, 151936),
        experts=Experts(512, 10, 512, 512),
        recurrent=Recurrent(36, 2_000_000, 33_718_464),
    )
    attending = [t.layer for t in tensors(shape) if t.name == "attn_q"]
    assert attending == list(range(3, 48, 4))
    assert named(shape, 0)["ssm_mixer"].elements == 33_718_272  # whole rows of the hidden width
    assert named(shape, 3)["attn_q"].rows == 2 * 16 * 256  # the gate lies in the same tensor


def test_an_unknown_architecture_has_the_layers_of_llama() -> None:
    shape = replace(SHAPES["Llama-3.1-8B"], architecture="llama-of-tomorrow")
    assert not known(shape.architecture)
    assert list(tensors(shape)) == list(tensors(SHAPES["Llama-3.1-8B"]))


def test_the_vision_tower_is_counted_but_not_listed() -> None:
    shape = replace(SHAPES["Gemma-3-4B"], other_parameters=420_000_000)
    assert parameters(shape) == parameters(SHAPES["Gemma-3-4B"]) + 420_000_000
    assert list(tensors(shape)) == list(tensors(SHAPES["Gemma-3-4B"]))


@pytest.mark.parametrize("architecture", sorted(LAYOUTS))
def test_no_tensor_is_listed_twice(architecture: str) -> None:
    shape = Shape(
        *(architecture, 4, 512, 8, 2, 64, 1024, 1000),
        experts=Experts(16, 2, 256, 256, 1),
        context=128,
    )
    listed = [(tensor.layer, tensor.name) for tensor in tensors(shape)]
    assert len(listed) == len(set(listed))
    assert {layer for layer, _ in listed} == {None, 0, 1, 2, 3}

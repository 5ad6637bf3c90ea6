"""Shapes from config.json as the originals have it."""

from __future__ import annotations

import dataclasses

import pytest

from provision.models.catalogue import find
from provision.models.identity.found import describe
from provision.models.identity.found_config import config_shape
from provision.models.identity.keys import UnclearError
from provision.models.shape import Experts, Shape, Window

from .headers import LLAMA, config_json, kv_elements

# config.json of the originals at the hub, keys that matter here, each beside its catalogue name.
_CONFIGS: dict[str, dict[str, object]] = {
    "Llama-3.1-8B-Instruct": LLAMA,
    "Qwen2.5-7B-Instruct": {
        "model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584,
        "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944,
        "vocab_size": 152064, "max_position_embeddings": 32768, "use_sliding_window": False,
        "sliding_window": 131072, "max_window_layers": 28, "tie_word_embeddings": False,
    },
    "Qwen3-30B-A3B": {
        "model_type": "qwen3_moe", "num_hidden_layers": 48, "hidden_size": 2048,
        "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
        "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128,
        "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "vocab_size": 151936, "tie_word_embeddings": False, "use_sliding_window": False,
    },
    "Mixtral-8x7B-Instruct-v0.1": {
        "model_type": "mixtral", "num_hidden_layers": 32, "hidden_size": 4096,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
        "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": None,
        "vocab_size": 32000, "tie_word_embeddings": False,
    },
    "Mistral-7B-Instruct-v0.1": {
        "model_type": "mistral", "num_hidden_layers": 32, "hidden_size": 4096,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
        "sliding_window": 4096, "vocab_size": 32000, "tie_word_embeddings": False,
    },
    "gemma-2-9b-it": {
        "model_type": "gemma2", "num_hidden_layers": 42, "hidden_size": 3584,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256,
        "intermediate_size": 14336, "sliding_window": 4096, "vocab_size": 256000,
    },
    "gpt-oss-20b": {
        "model_type": "gpt_oss", "num_hidden_layers": 24, "hidden_size": 2880,
        "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
        "intermediate_size": 2880, "num_local_experts": 32, "num_experts_per_tok": 4,
        "experts_per_token": 4, "sliding_window": 128, "vocab_size": 201088,
        "layer_types": ["sliding_attention", "full_attention"] * 12,
        "tie_word_embeddings": False,
    },
    "DeepSeek-V3": {
        "model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168,
        "num_attention_heads": 128, "num_key_value_heads": 128, "intermediate_size": 18432,
        "moe_intermediate_size": 2048, "n_routed_experts": 256, "num_experts_per_tok": 8,
        "n_shared_experts": 1, "first_k_dense_replace": 3, "moe_layer_freq": 1,
        "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
        "v_head_dim": 128, "vocab_size": 129280, "tie_word_embeddings": False,
    },
    "falcon-7b-instruct": {
        "model_type": "falcon", "num_hidden_layers": 32, "hidden_size": 4544,
        "num_attention_heads": 71, "multi_query": True, "new_decoder_architecture": False,
        "vocab_size": 65024,
    },
    "falcon-40b-instruct": {
        "model_type": "falcon", "num_hidden_layers": 60, "hidden_size": 8192,
        "num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": True,
        "vocab_size": 65024,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(_CONFIGS))
def test_config_and_catalogue_agree(name: str) -> None:
    listed = find(name)
    assert listed is not None, name
    ours, theirs = config_shape(config_json(**_CONFIGS[name])), listed.shape
    said = dataclasses.replace(
        theirs, other_parameters=0, context=ours.context, attention_bias=None, qk_norm=None
    )
    assert ours == said


def test_config_of_gemma_3_leaves_out_its_defaults() -> None:
    """gemma-3-4b-it's text_config has no heads and no vocabulary."""
    found = config_json(
        model_type="gemma3", architectures=["Gemma3ForConditionalGeneration"],
        text_config={"model_type": "gemma3_text", "num_hidden_layers": 34, "hidden_size": 2560,
                     "intermediate_size": 10240, "sliding_window": 1024},
        vision_config={"model_type": "siglip_vision_model", "hidden_size": 1152,
                       "intermediate_size": 4304, "num_hidden_layers": 27, "patch_size": 14},
        torch_dtype="bfloat16",
    )  # fmt: skip
    listed = find("gemma-3-4b-it")
    assert listed is not None
    described = describe(found)
    assert dataclasses.replace(described.shape, other_parameters=0) == dataclasses.replace(
        listed.shape, other_parameters=0
    )
    assert described.shape.other_parameters == pytest.approx(
        listed.shape.other_parameters, rel=0.03
    )
    assert described.weights.total == pytest.approx(listed.parameters * 2, rel=0.005)


def test_config_of_layers_by_type() -> None:
    qwen3_next = config_shape(
        config_json(model_type="qwen3_next", num_hidden_layers=48, hidden_size=2048,
                num_attention_heads=16, num_key_value_heads=2, head_dim=256, vocab_size=151936,
                full_attention_interval=4, linear_num_value_heads=32, linear_num_key_heads=16,
                linear_key_head_dim=128, linear_value_head_dim=128, linear_conv_kernel_dim=4,
                num_experts=512, num_experts_per_tok=10, moe_intermediate_size=512,
                shared_expert_intermediate_size=512)
    )  # fmt: skip
    assert qwen3_next.recurrent is not None
    assert qwen3_next.recurrent.layers == 36
    assert qwen3_next.recurrent.state_bytes == 2 * 3 * 8192 + 4 * 32 * 128 * 128
    assert qwen3_next.experts == Experts(512, 10, 512, 512)
    assert kv_elements(qwen3_next, 1) == 12 * 2 * 512
    jamba = config_shape(
        config_json(model_type="jamba", num_hidden_layers=32, hidden_size=4096, vocab_size=65536,
                num_attention_heads=32, num_key_value_heads=8, attn_layer_period=8,
                attn_layer_offset=4, mamba_d_state=16, mamba_d_conv=4, mamba_expand=2,
                num_experts=16, num_experts_per_tok=2, intermediate_size=14336,
                expert_layer_period=2, expert_layer_offset=1)
    )  # fmt: skip
    assert jamba.recurrent is not None
    assert (jamba.recurrent.layers, kv_elements(jamba, 1)) == (28, 4 * 8 * 256)
    assert jamba.experts == Experts(16, 2, 14336, every=2)
    nemotron = config_shape(
        config_json(model_type="nemotron_h", num_hidden_layers=6, hidden_size=512, vocab_size=1000,
                num_attention_heads=8, num_key_value_heads=2, attention_head_dim=128,
                hybrid_override_pattern="M-M*ME", mamba_num_heads=16, mamba_head_dim=64,
                ssm_state_size=128, n_groups=8, conv_kernel=4)
    )  # fmt: skip
    assert nemotron.recurrent is not None
    assert (nemotron.recurrent.layers, kv_elements(nemotron, 1)) == (5, 2 * 256)


def test_config_of_windows_with_heads_of_their_own() -> None:
    """Gemma 4 31B; vLLM keeps a step of 2,048 tokens beside a window."""
    shape = config_shape(
        config_json(model_type="gemma4", text_config={
            "model_type": "gemma4_text", "num_hidden_layers": 60, "hidden_size": 5376,
            "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 256,
            "global_head_dim": 512, "num_global_key_value_heads": 4, "attention_k_eq_v": True,
            "sliding_window": 1024, "vocab_size": 262144, "intermediate_size": 21504,
            "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 10})
    )  # fmt: skip
    assert (shape.kv_heads, shape.head_dim, shape.tied) == (4, 512, True)
    assert shape.window is not None
    assert (shape.window.tokens + 2048) * 4 * 1024 == (1024 + 2048) * 16 * 512


@pytest.mark.parametrize(
    ("keys", "context"),
    [
        ({}, 131072),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 131072),
        (
            {
                "max_position_embeddings": 32768,
                "rope_scaling": {
                    "type": "yarn",
                    "factor": 4.0,
                    "original_max_position_embeddings": 32768,
                },
            },
            131072,
        ),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 8194}, 8192),
    ],
)
def test_config_context(keys: dict[str, object], context: int) -> None:
    assert config_shape(config_json(**{**LLAMA, **keys})).context == context


def test_config_of_a_window_that_is_switched_off() -> None:
    keys = {**LLAMA, "model_type": "mistral", "sliding_window": 4096}
    assert config_shape(config_json(**keys)).window == Window(4096, 32)
    assert config_shape(config_json(**keys, use_sliding_window=False)).window is None


def test_config_of_mistrals_own() -> None:
    """params.json of Mistral-7B-v0.3."""
    shape = config_shape(
        config_json(dim=4096, n_layers=32, head_dim=128, hidden_dim=14336, n_heads=32, n_kv_heads=8,
                vocab_size=32768)
    )  # fmt: skip
    assert shape == Shape("llama", 32, 4096, 32, 8, 128, 14336, 32768)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model_type": None}, "its config.json does not say model_type"),
        ({"model_type": "t5"}, "it is a t5 model, whose kind is not known here"),
        ({"model_type": "nemotron-nas"}, "its layers differ, and config.json alone does not tell"),
        ({"num_attention_heads": 0}, "its num_attention_heads is 0"),
        ({"hidden_size": "4096"}, "its hidden_size is 4096"),
        ({"num_hidden_layers": None}, "it does not say num_hidden_layers"),
    ],
)
def test_config_that_does_not_tell(change: dict[str, object], why: str) -> None:
    with pytest.raises(UnclearError, match=why):
        config_shape(config_json(**{**LLAMA, **change}))

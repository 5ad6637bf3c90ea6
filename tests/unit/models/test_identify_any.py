"""No reference and no file, however hostile, ends in anything but a model or UnknownModelError."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.host.facts import ModelFound
from provision.models.identity.identify import identify
from provision.models.model import Model, UnknownModelError

ENGINES = ("ollama", "llama-server", "vllm", "sglang", "tabbyapi")


def _sum(model: Model) -> int:
    weights = model.weights
    return weights.embedding + weights.output + weights.other + sum(weights.layers)


_WORDS = st.sampled_from(
    ["llama3.1", "8b", "q4_K_M", "-", ":", "/", "@", "GGUF", "exl3", "4.0bpw", "hf.co/", "latest",
     "Qwen/", "Qwen3-0.6B", ".gguf", "-00001-of-00002", "models--", "bnb-4bit", "\x00", "\n", "é",
     "..", "int8", "AWQ", "snapshots/", "/manifests/a/b/c/d", "~", "qat", "gemma3", " "]
)  # fmt: skip
_REFERENCES = st.one_of(st.text(max_size=60), st.lists(_WORDS, max_size=9).map("".join))


@given(_REFERENCES, st.sampled_from(ENGINES))
@settings(max_examples=300, deadline=None)
def test_any_reference_ends_well(reference: str, engine: str) -> None:
    try:
        model = identify(reference, engine)
    except UnknownModelError as error:
        assert str(error)
        assert error.hint
    else:
        assert model.weights.total == _sum(model) > 0


_KEYS = (
    "block_count", "embedding_length", "feed_forward_length", "attention.head_count",
    "attention.head_count_kv", "attention.key_length", "attention.value_length", "expert_count",
    "expert_used_count", "expert_feed_forward_length", "leading_dense_block_count",
    "attention.sliding_window", "attention.sliding_window_pattern", "attention.kv_lora_rank",
    "attention.key_length_mla", "nextn_predict_layers", "ssm.state_size", "ssm.inner_size",
    "full_attention_interval", "attention.shared_kv_layers", "context_length", "vocab_size",
    "interleave_moe_layer_step", "ssm.conv_kernel", "wkv.head_size",
)  # fmt: skip
_CONFIG_KEYS = (
    "num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "vocab_size", "num_local_experts", "num_experts_per_tok", "kv_lora_rank",
    "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "sliding_window", "layer_types",
    "full_attention_interval", "first_k_dense_replace", "moe_intermediate_size",
    "tie_word_embeddings", "num_nextn_predict_layers", "vision_config.depth", "max_window_layers",
    "vision_config.hidden_size", "hybrid_override_pattern", "num_kv_shared_layers",
    "mamba_d_state", "mamba_expand", "attn_layer_period", "text_config.hidden_size",
    "text_config.num_hidden_layers", "rope_scaling.type", "rope_scaling.factor",
    "quantization_config.bits", "quantization_config.quant_method", "torch_dtype",
    "quantization_config.group_size", "cross_attention_layers",
)  # fmt: skip
_VALUES = st.one_of(
    st.integers(-3, 64),
    st.sampled_from([0, 1, -1, 128, 4096, 1 << 31, (1 << 63) - 1, -(1 << 63), 1e308, 0.5, 4.0]),
    st.booleans(),
    st.sampled_from(["yarn", "llama", "gptq", "exl3", "M*-E", "bfloat16", "sliding_attention", ""]),
)
_ITEMS: list[int | float | str] = ["full_attention", "mamba", 1e300, 0.5, "x"]
_LISTS = st.lists(
    st.one_of(st.integers(-2, 9), st.sampled_from(_ITEMS)),
    min_size=1,
    max_size=6,
).map(tuple)
_ARCHITECTURES = st.sampled_from(
    ["llama", "gemma3", "deepseek2", "qwen3next", "mamba", "nemotron_h", "gpt-oss", "clip", "", "x"]
)
_KINDS = st.sampled_from(
    ["llama", "gemma3_text", "deepseek_v3", "qwen3_next", "falcon", "mamba", "t5", "llama4_text"]
)
_BYTES = st.one_of(st.none(), st.sampled_from([-1, 0, 1, 10**6, 10**9, 10**12, 1 << 62]))


@st.composite
def _hostile(draw: st.DrawFn) -> ModelFound:
    format_ = draw(st.sampled_from(["gguf", "safetensors", "pytorch", "config"]))
    architecture = draw(_ARCHITECTURES)
    usual = {"block_count": 4, "embedding_length": 64, "attention.head_count": 4, "vocab_size": 99,
             "feed_forward_length": 128}  # fmt: skip
    start = f"{architecture}."
    names: tuple[str, ...] = _KEYS
    if format_ != "gguf":
        start, names = "", _CONFIG_KEYS
        usual = {"num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4,
                 "vocab_size": 99}  # fmt: skip
    known: dict[str, int | float | bool | str] = {start + key: one for key, one in usual.items()}
    changed = draw(st.dictionaries(st.sampled_from(names), _VALUES, max_size=8))
    known |= {start + key: one for key, one in changed.items()}
    known |= {"general.architecture": architecture, "model_type": draw(_KINDS)}
    lists = draw(st.dictionaries(st.sampled_from(names), _LISTS, max_size=3))
    for key in lists:
        known.pop(start + key, None)
    return ModelFound(
        format_,  # type: ignore[arg-type]  # hypothesis gives str where a Literal is wanted
        architecture=draw(st.sampled_from([None, architecture, "LlamaForCausalLM"])),
        parameters=draw(_BYTES),
        weight_bytes=draw(_BYTES),
        weights=draw(st.sampled_from([{}, {"Q4_K": 10**9}, {"F32": 10**15, "BF16": -5}])),
        settings=known,
        lists={start + key: one for key, one in lists.items()},
        missing=draw(st.sampled_from([(), ("a",)])),
        problem=draw(st.sampled_from([None, None, "it is empty"])),
    )


@given(_hostile(), st.sampled_from(["/m/x-Q4_K_M.gguf", "/m/x", "a/b-AWQ", "llama3.1:8b"]))
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_files_end_well(found: ModelFound, reference: str) -> None:
    try:
        model = identify(reference, "vllm", found)
    except UnknownModelError as error:
        assert str(error)
        return
    assert model.weights.total == _sum(model) > 0
    assert all(one >= 0 for one in model.weights.layers)
    shape = model.shape
    assert shape is not None
    assert len(model.weights.layers) == shape.layers
    assert min(shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head_dim) >= 1
    states = shape.recurrent.layers if shape.recurrent else 0
    windows = shape.window.layers if shape.window else 0
    assert states + windows <= shape.layers

"""transformers' words for kinds of models, and GGUF's for the same ones."""

from __future__ import annotations

# model_type -> general.architecture, where it is not the same or without its underscores.
_WORDS = {
    "mistral": "llama", "mixtral": "llama", "mistral3": "llama", "ministral": "llama",
    "llava": "llama", "mllama_text_model": "mllama", "llama4_text": "llama4", "aquila": "llama",
    "yi": "llama", "internlm": "llama", "internlm3": "llama", "vicuna": "llama",
    "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe", "qwen2_vl": "qwen2vl",
    "qwen2_5_vl": "qwen2vl", "qwen2_vl_text": "qwen2vl", "qwen2_5_vl_text": "qwen2vl",
    "qwen3_vl_text": "qwen3vl", "qwen3_vl_moe_text": "qwen3vlmoe", "qwen3_next": "qwen3next",
    "qwen3_5_text": "qwen35", "qwen3_5_moe_text": "qwen35moe",
    "gemma3_text": "gemma3", "gemma3n_text": "gemma3n", "gemma4_text": "gemma4",
    "gpt_oss": "gpt-oss", "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2",
    "deepseek_v32": "deepseek2", "kimi_k2": "deepseek2", "phi": "phi2", "phi3_v": "phi3",
    "phi4mm": "phi3", "phi3small": "phi3", "glm": "chatglm", "glm4_moe": "glm4moe",
    "glm4v_text": "glm4", "glm4v_moe_text": "glm4moe", "cohere": "command-r",
    "RefinedWeb": "falcon", "RefinedWebModel": "falcon", "gpt_neox": "gptneox",
    "gpt_bigcode": "starcoder", "stablelm_epoch": "stablelm", "olmo3": "olmo2",
    "granitemoe": "granitemoe", "granitemoeshared": "granitemoe",
    "granitemoehybrid": "granitehybrid", "ernie4_5_moe": "ernie4_5-moe",
    "hunyuan_v1_dense": "hunyuan-dense", "hunyuan_v1_moe": "hunyuan-moe",
    "minimax_m2": "minimax-m2", "nemotron_h": "nemotron_h", "xlm-roberta": "bert",
    "roberta": "bert", "camembert": "bert", "mpnet": "bert", "distilbert": "bert",
    "electra": "bert", "nomic_bert": "nomic-bert", "modernbert": "modern-bert",
    "new": "nomic-bert", "falcon_h1": "falcon-h1", "kimi_linear": "kimi-linear",
    "bailing_moe": "bailingmoe", "bailing_moe_v2": "bailingmoe2", "ernie4_5": "ernie4_5",
    "seed_oss": "seed_oss", "gpt_neo": "gpt2", "mimo_v2_flash": "mimo2",
}  # fmt: skip
# Classes whose default is one table for input and output, so their config.json does not say it.
# Falcon's is one too, but its published files hold both tables.
ALWAYS_TIED = frozenset(
    (
        "gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n_text", "gemma4_text", "cohere",
        "cohere2", "gpt2", "gpt_bigcode", "bloom", "opt", "mpt",
        "starcoder2", "mamba", "bert", "roberta", "xlm-roberta", "nomic_bert", "modernbert",
    )
)  # fmt: skip
# The same by GGUF's words.
TIED_WORDS = frozenset(
    (
        "gemma", "gemma2", "gemma3", "gemma3n", "gemma4", "gemma-embedding", "command-r",
        "cohere2", "gpt2", "bloom", "bert", "nomic-bert", "modern-bert",
    )
)  # fmt: skip
_ENCODERS = ("bert", "roberta", "mpnet", "electra", "modernbert")


def architecture_of(kind: str, experts: bool = False) -> str:
    """GGUF's word for a model_type; an unknown one keeps its own, with - for _."""
    if kind == "granite" and experts:
        return "granitemoe"
    known = _WORDS.get(kind)
    return known if known is not None else kind.replace("_", "-")


def vectors_only(kind: str, architecture: str | None) -> bool:
    """Whether such a model gives vectors (or classes), not tokens.

    A decoder made for embeddings may keep its class: Qwen3-Embedding is a Qwen3ForCausalLM.
    """
    if kind in ("new", "gemma-embedding") or any(word in kind for word in _ENCODERS):
        return True
    return bool(architecture) and str(architecture).endswith(
        ("Model", "ForMaskedLM", "ForSequenceClassification", "EncoderModel")
    )

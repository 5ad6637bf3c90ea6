"""What inspection would read from a GGUF header or a config.json with these keys."""

from __future__ import annotations

from provision.host.facts import ModelFound
from provision.host.inspect.models.config import parse_config
from provision.models.shape import Shape

Value = int | float | bool | str
SMALL: dict[str, object] = {
    "block_count": 8, "embedding_length": 512, "attention__head_count": 8,
}  # fmt: skip
LLAMA: dict[str, object] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 32,
    "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip


def header(architecture: str, **keys: object) -> ModelFound:
    """A header; `__` stands for a dot, tuples are lists."""
    settings: dict[str, Value] = {
        "general.architecture": architecture,
        "tokenizer.ggml.tokens.count": 1000,
    }
    lists: dict[str, tuple[int | float | str, ...]] = {}
    for key, value in keys.items():
        name = f"{architecture}.{key.replace('__', '.')}"
        if isinstance(value, tuple):
            lists[name] = value
        elif isinstance(value, (int, float, str)):
            settings[name] = value
    return ModelFound("gguf", architecture=architecture, settings=settings, lists=lists)


def config_json(**keys: object) -> ModelFound:
    config = parse_config(keys)
    return ModelFound(
        "config",
        architecture=config.architecture,
        settings=config.settings,
        lists=config.lists,
    )


def kv_elements(shape: Shape, context: int) -> int:
    """Elements of the cache of one request."""
    value = shape.head_dim if shape.value_dim is None else shape.value_dim
    layer = shape.kv_heads * (shape.head_dim + value)
    if shape.latent:
        layer = shape.latent.kv_rank + shape.latent.rope_dim
    windowed = shape.window.layers if shape.window else 0
    idle = shape.recurrent.layers if shape.recurrent else 0
    seen = min(context, shape.window.tokens) if shape.window else 0
    return layer * (context * (shape.layers - windowed - idle) + seen * windowed)

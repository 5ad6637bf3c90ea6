#!/usr/bin/env python3
"""Write a very small llama model as a folder of Hugging Face's kind: config.json and safetensors.

The shapes are those of tiny_model.py, so a planner that reads headers finds the same model in
another form. All weights are zero: nothing of the test hosts loads them.

Usage: tiny_folder.py FOLDER
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tiny_model import CONTEXT, FEED_FORWARD, HEADS, KV_HEADS, LAYERS, VOCABULARY, WIDTH
else:
    from tiny_model import CONTEXT, FEED_FORWARD, HEADS, KV_HEADS, LAYERS, VOCABULARY, WIDTH

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "float32",
    "hidden_size": WIDTH,
    "intermediate_size": FEED_FORWARD,
    "max_position_embeddings": CONTEXT,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": KV_HEADS,
    "tie_word_embeddings": False,
    "vocab_size": VOCABULARY,
}


def shapes() -> Iterator[tuple[str, list[int]]]:
    kv_width = WIDTH // HEADS * KV_HEADS
    yield "model.embed_tokens.weight", [VOCABULARY, WIDTH]
    for layer in range(LAYERS):
        block = f"model.layers.{layer}."
        yield block + "input_layernorm.weight", [WIDTH]
        yield block + "self_attn.q_proj.weight", [WIDTH, WIDTH]
        yield block + "self_attn.k_proj.weight", [kv_width, WIDTH]
        yield block + "self_attn.v_proj.weight", [kv_width, WIDTH]
        yield block + "self_attn.o_proj.weight", [WIDTH, WIDTH]
        yield block + "post_attention_layernorm.weight", [WIDTH]
        yield block + "mlp.gate_proj.weight", [FEED_FORWARD, WIDTH]
        yield block + "mlp.up_proj.weight", [FEED_FORWARD, WIDTH]
        yield block + "mlp.down_proj.weight", [WIDTH, FEED_FORWARD]
    yield "model.norm.weight", [WIDTH]
    yield "lm_head.weight", [VOCABULARY, WIDTH]


def safetensors() -> bytes:
    """A header with each tensor's place, 8 bytes of its length before, the numbers behind."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(end)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    (folder / "model.safetensors").write_bytes(safetensors())


if __name__ == "__main__":
    write(Path(sys.argv[1]))

#!/usr/bin/env python3
"""Write a very small llama model (GGUF, random weights, 437 KB): the same bytes every time.

It talks nonsense, but a real llama.cpp server loads it, takes chat completions and streams real
tokens, in milliseconds and without a GPU. Needs the PyPI package ``gguf`` (which brings numpy).

Usage: tiny_model.py OUT.gguf
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np  # type: ignore[import-not-found, unused-ignore]

NAME = "tiny-random-llama"
# Heads of 32 numbers: the blocks of a quantised KV cache have 32, and llama.cpp refuses less.
LAYERS, WIDTH, HEADS, KV_HEADS, FEED_FORWARD, CONTEXT = 2, 64, 2, 1, 128, 4096
SPECIAL = ["<unk>", "<s>", "</s>"]
VOCABULARY = len(SPECIAL) + 256  # every byte is a token: any text can be read and written
# No Jinja blocks that an older template engine might lack.
CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n"
    "{% endfor %}<assistant>"
)


def tensors() -> Iterator[tuple[str, Any]]:
    # PCG64 with a fixed seed gives the same numbers in every numpy since 1.17; the legacy
    # generator or `standard_normal` of another bit generator would not promise that.
    random = np.random.Generator(np.random.PCG64(1))

    def weight(rows: int, columns: int) -> Any:
        return (random.random((rows, columns)) - 0.5).astype(np.float32) * np.float32(0.1)

    kv_width = WIDTH // HEADS * KV_HEADS
    yield "token_embd.weight", weight(VOCABULARY, WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", np.ones(WIDTH, dtype=np.float32)
        yield block + "attn_q.weight", weight(WIDTH, WIDTH)
        yield block + "attn_k.weight", weight(kv_width, WIDTH)
        yield block + "attn_v.weight", weight(kv_width, WIDTH)
        yield block + "attn_output.weight", weight(WIDTH, WIDTH)
        yield block + "ffn_norm.weight", np.ones(WIDTH, dtype=np.float32)
        yield block + "ffn_gate.weight", weight(FEED_FORWARD, WIDTH)
        yield block + "ffn_up.weight", weight(FEED_FORWARD, WIDTH)
        yield block + "ffn_down.weight", weight(WIDTH, FEED_FORWARD)
    yield "output_norm.weight", np.ones(WIDTH, dtype=np.float32)
    yield "output.weight", weight(VOCABULARY, WIDTH)


def write(path: Path) -> None:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(NAME)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))])
    writer.add_token_scores([0.0] * VOCABULARY)
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    writer.add_token_types([*kinds, *([gguf.TokenType.BYTE] * 256)])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, data in tensors():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]))

"""OpenAI's gpt-oss: experts in MXFP4, a window of 128 tokens in every other layer.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from functools import partial

from ..shape import Experts, Shape, Window
from .entry import entry

_gpt_oss = partial(entry, "gpt-oss", quant="MXFP4", native="MXFP4")

MODELS = (
    _gpt_oss(
        "gpt-oss-20b",
        20_914_757_184,
        Shape(
            "gpt-oss",
            24,
            2880,
            64,
            8,
            64,
            0,
            201088,
            experts=Experts(32, 4, 2880),
            window=Window(128, 12),
            context=131072,
        ),
        hub="openai/gpt-oss-20b ggml-org/gpt-oss-20b-GGUF",
        tags="gpt-oss gpt-oss:20b",
    ),
    _gpt_oss(
        "gpt-oss-120b",
        116_829_156_672,
        Shape(
            "gpt-oss",
            36,
            2880,
            64,
            8,
            64,
            0,
            201088,
            experts=Experts(128, 4, 2880),
            window=Window(128, 18),
            context=131072,
        ),
        hub="openai/gpt-oss-120b ggml-org/gpt-oss-120b-GGUF",
        tags="gpt-oss:120b",
    ),
)

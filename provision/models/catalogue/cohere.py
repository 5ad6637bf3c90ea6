"""Cohere's Command and Aya: the head is the input table, one norm a layer.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
R7B and A have a window of 4096 tokens in three of four layers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Shape, Window
from .entry import entry

_command = partial(entry, "Command")

_8B = Shape("command-r", 32, 4096, 32, 8, 128, 14336, 256000, tied=True, context=8192)
_35B = Shape("command-r", 40, 8192, 64, 64, 128, 22528, 256000, tied=True, context=131072)
_32B = Shape("command-r", 40, 8192, 64, 8, 128, 24576, 256000, tied=True, context=131072)
_PLUS = Shape(
    "command-r", 64, 12288, 96, 8, 128, 33792, 256000, tied=True, qk_norm=True, context=131072
)

MODELS = (
    _command(
        "c4ai-command-r-v01",
        34_980_831_232,
        _35B,
        hub="CohereLabs/c4ai-command-r-v01 CohereForAI/c4ai-command-r-v01",
        tags="command-r:35b-v0.1",
        quant="Q4_0",
        native="F16",
    ),
    _command(
        "c4ai-command-r-08-2024",
        32_296_476_672,
        _32B,
        hub="CohereLabs/c4ai-command-r-08-2024 CohereForAI/c4ai-command-r-08-2024",
        tags="command-r command-r:35b",
        quant="Q4_0",
        native="F16",
        aliases="Command-R",
    ),
    _command(
        "c4ai-command-r-plus-08-2024",
        103_810_674_688,
        _PLUS,
        hub="CohereLabs/c4ai-command-r-plus-08-2024 c4ai-command-r-plus "
        "CohereForAI/c4ai-command-r-plus-08-2024 c4ai-command-r-plus",
        tags="command-r-plus command-r-plus:104b",
        quant="Q4_0",
        native="F16",
        aliases="Command-R-Plus Command-R+",
    ),
    _command(
        "c4ai-command-r7b-12-2024",
        8_028_033_024,
        replace(_8B, architecture="cohere2", window=Window(4096, 24), context=132096),
        hub="CohereLabs/c4ai-command-r7b-12-2024 CohereForAI/c4ai-command-r7b-12-2024",
        tags="command-r7b command-r7b:7b",
        aliases="Command-R7B",
    ),
    _command(
        "c4ai-command-a-03-2025",
        111_057_580_032,
        Shape(
            "cohere2",
            64,
            12288,
            96,
            8,
            128,
            36864,
            256000,
            tied=True,
            window=Window(4096, 48),
            context=131072,
        ),
        hub="CohereLabs/c4ai-command-a-03-2025 CohereForAI/c4ai-command-a-03-2025",
        tags="command-a command-a:111b",
        aliases="Command-A",
    ),
    _command(
        "aya-23-8B",
        8_028_033_024,
        _8B,
        hub="CohereLabs/aya-23-8B CohereForAI/aya-23-8B",
        tags="aya aya:8b",
        quant="Q4_0",
        native="F16",
    ),
    _command(
        "aya-23-35B",
        34_980_831_232,
        replace(_35B, context=8192),
        hub="CohereLabs/aya-23-35B CohereForAI/aya-23-35B",
        tags="aya:35b",
        quant="Q4_0",
        native="F16",
    ),
    _command(
        "aya-expanse-8b",
        8_028_033_024,
        _8B,
        hub="CohereLabs/aya-expanse-8b CohereForAI/aya-expanse-8b",
        tags="aya-expanse aya-expanse:8b",
        native="F16",
    ),
    _command(
        "aya-expanse-32b",
        32_296_476_672,
        _32B,
        hub="CohereLabs/aya-expanse-32b CohereForAI/aya-expanse-32b",
        tags="aya-expanse:32b",
        native="F16",
    ),
)

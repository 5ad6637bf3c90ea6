"""Meta's Llama 2 to 4 and Code Llama, and the well-known models made from them.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Shape, Window
from .entry import entry

_llama = partial(entry, "Llama")

LLAMA2_7B = Shape("llama", 32, 4096, 32, 32, 128, 11008, 32000, context=4096)
LLAMA2_13B = Shape("llama", 40, 5120, 40, 40, 128, 13824, 32000, context=4096)
_LLAMA2_70B = Shape("llama", 80, 8192, 64, 8, 128, 28672, 32000, context=4096)
LLAMA3_8B = Shape("llama", 32, 4096, 32, 8, 128, 14336, 128256, context=131072)
LLAMA3_70B = Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256, context=131072)

_LLAMA2 = (
    _llama(
        "Llama-2-7b-chat-hf",
        6_738_415_616,
        LLAMA2_7B,
        hub="meta-llama/Llama-2-7b-chat-hf Llama-2-7b-hf NousResearch/Llama-2-7b-chat-hf",
        tags="llama2 llama2:7b llama2:7b-chat",
        quant="Q4_0",
        aliases="Llama-2-7B-Chat Llama-2-7B",
        native="F16",
    ),
    _llama(
        "Llama-2-13b-chat-hf",
        13_015_864_320,
        LLAMA2_13B,
        hub="meta-llama/Llama-2-13b-chat-hf Llama-2-13b-hf",
        tags="llama2:13b llama2:13b-chat",
        quant="Q4_0",
        aliases="Llama-2-13B-Chat Llama-2-13B",
        native="F16",
    ),
    _llama(
        "Llama-2-70b-chat-hf",
        68_976_648_192,
        _LLAMA2_70B,
        hub="meta-llama/Llama-2-70b-chat-hf Llama-2-70b-hf",
        tags="llama2:70b llama2:70b-chat",
        quant="Q4_0",
        aliases="Llama-2-70B-Chat Llama-2-70B",
        native="F16",
    ),
)

# Meta's infilling tokens enlarge the vocabulary by 16, but not in the 34B files.
_CODE_LLAMA = (
    _llama(
        "CodeLlama-7b-Instruct-hf",
        6_738_546_688,
        replace(LLAMA2_7B, vocab=32016, context=16384),
        hub="codellama/CodeLlama-7b-Instruct-hf CodeLlama-7b-hf meta-llama/CodeLlama-7b-hf",
        tags="codellama codellama:7b codellama:7b-instruct codellama:7b-code",
        quant="Q4_0",
    ),
    _llama(
        "CodeLlama-13b-Instruct-hf",
        13_016_028_160,
        replace(LLAMA2_13B, vocab=32016, context=16384),
        hub="codellama/CodeLlama-13b-Instruct-hf CodeLlama-13b-hf",
        tags="codellama:13b codellama:13b-instruct codellama:13b-code",
        quant="Q4_0",
    ),
    _llama(
        "CodeLlama-34b-Instruct-hf",
        33_743_970_304,
        Shape("llama", 48, 8192, 64, 8, 128, 22016, 32000, context=16384),
        hub="codellama/CodeLlama-34b-Instruct-hf CodeLlama-34b-hf CodeLlama-34b-Python-hf",
        tags="codellama:34b codellama:34b-instruct codellama:34b-code codellama:34b-python",
        quant="Q4_0",
    ),
    _llama(
        "CodeLlama-70b-Instruct-hf",
        68_976_910_336,
        replace(_LLAMA2_70B, vocab=32016, context=4096),
        hub="codellama/CodeLlama-70b-Instruct-hf",
        tags="codellama:70b codellama:70b-instruct",
        quant="Q4_0",
    ),
)

_LLAMA3 = (
    _llama(
        "Meta-Llama-3-8B-Instruct",
        8_030_261_248,
        replace(LLAMA3_8B, context=8192),
        hub="meta-llama/Meta-Llama-3-8B-Instruct Meta-Llama-3-8B NousResearch/Meta-Llama-3-8B",
        tags="llama3 llama3:8b llama3:instruct llama3:8b-instruct",
        quant="Q4_0",
        aliases="Llama-3-8B-Instruct Llama-3-8B",
    ),
    _llama(
        "Meta-Llama-3-70B-Instruct",
        70_553_706_496,
        replace(LLAMA3_70B, context=8192),
        hub="meta-llama/Meta-Llama-3-70B-Instruct Meta-Llama-3-70B",
        tags="llama3:70b llama3:70b-instruct",
        quant="Q4_0",
        aliases="Llama-3-70B-Instruct Llama-3-70B",
    ),
    _llama(
        "Llama-3.1-8B-Instruct",
        8_030_261_248,
        LLAMA3_8B,
        hub="meta-llama/Llama-3.1-8B-Instruct Llama-3.1-8B unsloth/Llama-3.1-8B-Instruct",
        tags="llama3.1 llama3.1:8b",
        aliases="Meta-Llama-3.1-8B-Instruct Meta-Llama-3.1-8B",
    ),
    _llama(
        "Llama-3.1-70B-Instruct",
        70_553_706_496,
        LLAMA3_70B,
        hub="meta-llama/Llama-3.1-70B-Instruct Llama-3.1-70B",
        tags="llama3.1:70b",
        aliases="Meta-Llama-3.1-70B-Instruct Meta-Llama-3.1-70B",
    ),
    _llama(
        "Llama-3.1-405B-Instruct",
        405_853_388_800,
        Shape("llama", 126, 16384, 128, 8, 128, 53248, 128256, context=131072),
        hub="meta-llama/Llama-3.1-405B-Instruct Llama-3.1-405B",
        tags="llama3.1:405b",
        aliases="Meta-Llama-3.1-405B-Instruct Meta-Llama-3.1-405B",
    ),
    _llama(
        "Llama-3.2-1B-Instruct",
        1_235_814_400,
        Shape("llama", 16, 2048, 32, 8, 64, 8192, 128256, tied=True, context=131072),
        hub="meta-llama/Llama-3.2-1B-Instruct Llama-3.2-1B unsloth/Llama-3.2-1B-Instruct",
        tags="llama3.2:1b",
        quant="Q8_0",
    ),
    _llama(
        "Llama-3.2-3B-Instruct",
        3_212_749_824,
        Shape("llama", 28, 3072, 24, 8, 128, 8192, 128256, tied=True, context=131072),
        hub="meta-llama/Llama-3.2-3B-Instruct Llama-3.2-3B unsloth/Llama-3.2-3B-Instruct",
        tags="llama3.2 llama3.2:3b",
    ),
    _llama(
        "Llama-3.3-70B-Instruct",
        70_553_706_496,
        LLAMA3_70B,
        hub="meta-llama/Llama-3.3-70B-Instruct unsloth/Llama-3.3-70B-Instruct",
        tags="llama3.3 llama3.3:70b",
    ),
)

_IMAGE_TOKENS = 4 * 1601  # four tiles of 40 x 40 patches and a class token each

# Every fifth layer attends to the image instead of the text: its weights are those of any other
# layer, and its cache holds the image tokens however long the text grows.
_VISION = (
    _llama(
        "Llama-3.2-11B-Vision-Instruct",
        10_670_220_835,
        Shape(
            "mllama",
            40,
            4096,
            32,
            8,
            128,
            14336,
            128256,
            context=131072,
            window=Window(_IMAGE_TOKENS, 8),
            other_parameters=895_063_587,
        ),
        hub="meta-llama/Llama-3.2-11B-Vision-Instruct Llama-3.2-11B-Vision",
        tags="llama3.2-vision llama3.2-vision:11b",
    ),
    _llama(
        "Llama-3.2-90B-Vision-Instruct",
        88_593_355_323,
        Shape(
            "mllama",
            100,
            8192,
            64,
            8,
            128,
            28672,
            128256,
            context=131072,
            window=Window(_IMAGE_TOKENS, 20),
            other_parameters=926_560_827,
        ),
        hub="meta-llama/Llama-3.2-90B-Vision-Instruct Llama-3.2-90B-Vision",
        tags="llama3.2-vision:90b",
    ),
)

# Three of four layers attend within chunks of 8192 tokens.
_LLAMA4 = (
    _llama(
        "Llama-4-Scout-17B-16E-Instruct",
        108_641_793_536,
        Shape(
            "llama4",
            48,
            5120,
            40,
            8,
            128,
            0,
            202048,
            experts=Experts(16, 1, 8192, shared_ffn=8192),
            window=Window(8192, 36),
            context=10485760,
            other_parameters=871_932_416,
        ),
        hub="meta-llama/Llama-4-Scout-17B-16E-Instruct Llama-4-Scout-17B-16E",
        tags="llama4 llama4:16x17b llama4:scout",
        aliases="Llama-4-Scout",
    ),
    _llama(
        "Llama-4-Maverick-17B-128E-Instruct",
        401_583_781_376,
        Shape(
            "llama4",
            48,
            5120,
            40,
            8,
            128,
            16384,
            202048,
            experts=Experts(128, 1, 8192, shared_ffn=8192, every=2),
            window=Window(8192, 36),
            context=1048576,
            other_parameters=871_932_416,
        ),
        hub="meta-llama/Llama-4-Maverick-17B-128E-Instruct Llama-4-Maverick-17B-128E",
        tags="llama4:128x17b llama4:maverick",
        aliases="Llama-4-Maverick",
    ),
)

MODELS = _LLAMA2 + _CODE_LLAMA + _LLAMA3 + _VISION + _LLAMA4

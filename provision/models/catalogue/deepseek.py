"""DeepSeek: the dense first models, V2, V3 and R1, and what R1 was distilled into.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
The heads of V2 and V3 are 192 wide for keys (128 without and 64 with position), 128 for values.
The layer that V3 and R1 have for multi-token prediction is not counted: GGUF files leave it out,
and engines load it for speculative decoding only.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Latent, Shape
from .entry import entry
from .llama import LLAMA3_8B, LLAMA3_70B
from .qwen import QWEN2_1_5B, QWEN2_7B, QWEN2_14B, QWEN2_32B
from .qwen3 import QWEN3_8B

_deepseek = partial(entry, "DeepSeek")

_V2_LITE = Shape(
    "deepseek2",
    27,
    2048,
    16,
    16,
    192,
    10944,
    102400,
    value_dim=128,
    experts=Experts(64, 6, 1408, shared_ffn=2816, dense_layers=1),
    latent=Latent(512, 64, 128, 128),
    context=163840,
)
_V2 = Shape(
    "deepseek2",
    60,
    5120,
    128,
    128,
    192,
    12288,
    102400,
    value_dim=128,
    experts=Experts(160, 6, 1536, shared_ffn=3072, dense_layers=1),
    latent=Latent(512, 64, 128, 128, query_rank=1536),
    context=163840,
)
_V3 = Shape(
    "deepseek2",
    61,
    7168,
    128,
    128,
    192,
    18432,
    129280,
    value_dim=128,
    experts=Experts(256, 8, 2048, shared_ffn=2048, dense_layers=3),
    latent=Latent(512, 64, 128, 128, query_rank=1536),
    context=163840,
)

_FIRST = (
    _deepseek(
        "deepseek-coder-1.3b-instruct",
        1_346_471_936,
        Shape("llama", 24, 2048, 16, 16, 128, 5504, 32256, context=16384),
        hub="deepseek-ai/deepseek-coder-1.3b-instruct deepseek-coder-1.3b-base",
        tags="deepseek-coder deepseek-coder:1.3b",
        quant="Q4_0",
    ),
    _deepseek(
        "deepseek-coder-6.7b-instruct",
        6_740_512_768,
        Shape("llama", 32, 4096, 32, 32, 128, 11008, 32256, context=16384),
        hub="deepseek-ai/deepseek-coder-6.7b-instruct deepseek-coder-6.7b-base",
        tags="deepseek-coder:6.7b",
        quant="Q4_0",
    ),
    _deepseek(
        "deepseek-coder-33b-instruct",
        33_342_991_360,
        Shape("llama", 62, 7168, 56, 8, 128, 19200, 32256, context=16384),
        hub="deepseek-ai/deepseek-coder-33b-instruct deepseek-coder-33b-base",
        tags="deepseek-coder:33b",
        quant="Q4_0",
    ),
    _deepseek(
        "deepseek-llm-7b-chat",
        6_910_365_696,
        Shape("llama", 30, 4096, 32, 32, 128, 11008, 102400, context=4096),
        hub="deepseek-ai/deepseek-llm-7b-chat deepseek-llm-7b-base",
        tags="deepseek-llm deepseek-llm:7b",
        quant="Q4_0",
    ),
    _deepseek(
        "deepseek-llm-67b-chat",
        67_425_001_472,
        Shape("llama", 95, 8192, 64, 8, 128, 22016, 102400, context=4096),
        hub="deepseek-ai/deepseek-llm-67b-chat deepseek-llm-67b-base",
        tags="deepseek-llm:67b",
        quant="Q4_0",
    ),
)

_V2_TO_V3 = (
    _deepseek(
        "DeepSeek-V2-Lite-Chat",
        15_706_484_224,
        _V2_LITE,
        hub="deepseek-ai/DeepSeek-V2-Lite-Chat DeepSeek-V2-Lite",
        tags="deepseek-v2 deepseek-v2:16b deepseek-v2:lite",
        quant="Q4_0",
    ),
    _deepseek(
        "DeepSeek-Coder-V2-Lite-Instruct",
        15_706_484_224,
        _V2_LITE,
        hub="deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct DeepSeek-Coder-V2-Lite-Base",
        tags="deepseek-coder-v2 deepseek-coder-v2:16b deepseek-coder-v2:lite",
        quant="Q4_0",
    ),
    _deepseek(
        "DeepSeek-V2-Chat",
        235_741_434_880,
        _V2,
        hub="deepseek-ai/DeepSeek-V2-Chat DeepSeek-V2 DeepSeek-V2-Chat-0628 DeepSeek-V2.5",
        tags="deepseek-v2:236b deepseek-v2.5 deepseek-v2.5:236b",
        quant="Q4_0",
    ),
    _deepseek(
        "DeepSeek-Coder-V2-Instruct",
        235_741_434_880,
        _V2,
        hub="deepseek-ai/DeepSeek-Coder-V2-Instruct DeepSeek-Coder-V2-Base",
        tags="deepseek-coder-v2:236b",
        quant="Q4_0",
    ),
    _deepseek(
        "DeepSeek-V3",
        671_026_419_200,
        _V3,
        hub="deepseek-ai/DeepSeek-V3 DeepSeek-V3-Base DeepSeek-V3-0324",
        tags="deepseek-v3 deepseek-v3:671b",
        native="FP8",
    ),
    _deepseek(
        "DeepSeek-V3.1",
        671_026_419_200,
        _V3,
        hub="deepseek-ai/DeepSeek-V3.1 DeepSeek-V3.1-Base DeepSeek-V3.1-Terminus",
        tags="deepseek-v3.1 deepseek-v3.1:671b",
        native="FP8",
    ),
    _deepseek(
        "DeepSeek-R1",
        671_026_419_200,
        _V3,
        hub="deepseek-ai/DeepSeek-R1 DeepSeek-R1-Zero DeepSeek-R1-0528",
        tags="deepseek-r1:671b",
        native="FP8",
    ),
)

_DISTILLED = (
    _deepseek(
        "DeepSeek-R1-Distill-Qwen-1.5B",
        1_777_088_000,
        replace(QWEN2_1_5B, tied=False, context=131072),
        hub="deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
        tags="deepseek-r1:1.5b",
    ),
    _deepseek(
        "DeepSeek-R1-Distill-Qwen-7B",
        7_615_616_512,
        replace(QWEN2_7B, context=131072),
        hub="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        tags="deepseek-r1:7b",
    ),
    _deepseek(
        "DeepSeek-R1-Distill-Llama-8B",
        8_030_261_248,
        LLAMA3_8B,
        hub="deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        tags="deepseek-r1:8b-llama-distill",
    ),
    _deepseek(
        "DeepSeek-R1-0528-Qwen3-8B",
        8_190_735_360,
        replace(QWEN3_8B, context=131072),
        hub="deepseek-ai/DeepSeek-R1-0528-Qwen3-8B",
        tags="deepseek-r1 deepseek-r1:8b",
    ),
    _deepseek(
        "DeepSeek-R1-Distill-Qwen-14B",
        14_770_033_664,
        replace(QWEN2_14B, context=131072),
        hub="deepseek-ai/DeepSeek-R1-Distill-Qwen-14B",
        tags="deepseek-r1:14b",
    ),
    _deepseek(
        "DeepSeek-R1-Distill-Qwen-32B",
        32_763_876_352,
        replace(QWEN2_32B, context=131072),
        hub="deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        tags="deepseek-r1:32b",
    ),
    _deepseek(
        "DeepSeek-R1-Distill-Llama-70B",
        70_553_706_496,
        LLAMA3_70B,
        hub="deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
        tags="deepseek-r1:70b",
    ),
)

MODELS = _FIRST + _V2_TO_V3 + _DISTILLED

"""Alibaba's Qwen 1.5, 2 and 2.5 with their Coder, Math, long and vision models, and QwQ.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
The instruct models of Qwen2.5 are trained for 32768 tokens; more needs rope scaling that their
config.json leaves out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Shape
from .entry import entry

_qwen = partial(entry, "Qwen")

QWEN2_HALF_B = Shape("qwen2", 24, 896, 14, 2, 64, 4864, 151936, tied=True, context=32768)
QWEN2_1_5B = Shape("qwen2", 28, 1536, 12, 2, 128, 8960, 151936, tied=True, context=32768)
QWEN2_3B = Shape("qwen2", 36, 2048, 16, 2, 128, 11008, 151936, tied=True, context=32768)
QWEN2_7B = Shape("qwen2", 28, 3584, 28, 4, 128, 18944, 152064, context=32768)
QWEN2_14B = Shape("qwen2", 48, 5120, 40, 8, 128, 13824, 152064, context=32768)
QWEN2_32B = Shape("qwen2", 64, 5120, 40, 8, 128, 27648, 152064, context=32768)
QWEN2_72B = Shape("qwen2", 80, 8192, 64, 8, 128, 29568, 152064, context=32768)

_QWEN1_5 = (
    _qwen(
        "Qwen1.5-0.5B-Chat",
        463_987_712,
        Shape("qwen2", 24, 1024, 16, 16, 64, 2816, 151936, tied=True, context=32768),
        hub="Qwen/Qwen1.5-0.5B-Chat Qwen1.5-0.5B",
        tags="qwen:0.5b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen1.5-1.8B-Chat",
        1_836_828_672,
        Shape("qwen2", 24, 2048, 16, 16, 128, 5504, 151936, context=32768),
        hub="Qwen/Qwen1.5-1.8B-Chat Qwen1.5-1.8B",
        tags="qwen:1.8b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen1.5-4B-Chat",
        3_950_369_280,
        Shape("qwen2", 40, 2560, 20, 20, 128, 6912, 151936, context=32768),
        hub="Qwen/Qwen1.5-4B-Chat Qwen1.5-4B",
        tags="qwen qwen:4b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen1.5-7B-Chat",
        7_721_324_544,
        Shape("qwen2", 32, 4096, 32, 32, 128, 11008, 151936, context=32768),
        hub="Qwen/Qwen1.5-7B-Chat Qwen1.5-7B",
        tags="qwen:7b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen1.5-14B-Chat",
        14_167_290_880,
        Shape("qwen2", 40, 5120, 40, 40, 128, 13696, 152064, context=32768),
        hub="Qwen/Qwen1.5-14B-Chat Qwen1.5-14B",
        tags="qwen:14b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen1.5-32B-Chat",
        32_512_218_112,
        Shape("qwen2", 64, 5120, 40, 8, 128, 27392, 152064, context=32768),
        hub="Qwen/Qwen1.5-32B-Chat Qwen1.5-32B",
        tags="qwen:32b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen1.5-72B-Chat",
        72_287_920_128,
        Shape("qwen2", 80, 8192, 64, 64, 128, 24576, 152064, context=32768),
        hub="Qwen/Qwen1.5-72B-Chat Qwen1.5-72B",
        tags="qwen:72b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen1.5-110B-Chat",
        111_209_914_368,
        Shape("qwen2", 80, 8192, 64, 8, 128, 49152, 152064, context=32768),
        hub="Qwen/Qwen1.5-110B-Chat Qwen1.5-110B",
        tags="qwen:110b",
        quant="Q4_0",
    ),
)

_QWEN2 = (
    _qwen(
        "Qwen2-0.5B-Instruct",
        494_032_768,
        QWEN2_HALF_B,
        hub="Qwen/Qwen2-0.5B-Instruct Qwen2-0.5B",
        tags="qwen2:0.5b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen2-1.5B-Instruct",
        1_543_714_304,
        QWEN2_1_5B,
        hub="Qwen/Qwen2-1.5B-Instruct Qwen2-1.5B",
        tags="qwen2:1.5b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen2-7B-Instruct",
        7_615_616_512,
        QWEN2_7B,
        hub="Qwen/Qwen2-7B-Instruct Qwen2-7B",
        tags="qwen2 qwen2:7b",
        quant="Q4_0",
    ),
    _qwen(
        "Qwen2-57B-A14B-Instruct",
        57_408_658_944,
        Shape(
            "qwen2moe",
            28,
            3584,
            28,
            4,
            128,
            0,
            151936,
            experts=Experts(64, 8, 2560, shared_ffn=20480),
            context=32768,
        ),
        hub="Qwen/Qwen2-57B-A14B-Instruct Qwen2-57B-A14B",
    ),
    _qwen(
        "Qwen2-72B-Instruct",
        72_706_203_648,
        QWEN2_72B,
        hub="Qwen/Qwen2-72B-Instruct Qwen2-72B",
        tags="qwen2:72b",
        quant="Q4_0",
    ),
)

_QWEN2_5 = (
    _qwen(
        "Qwen2.5-0.5B-Instruct",
        494_032_768,
        QWEN2_HALF_B,
        hub="Qwen/Qwen2.5-0.5B-Instruct Qwen2.5-0.5B",
        tags="qwen2.5:0.5b",
    ),
    _qwen(
        "Qwen2.5-1.5B-Instruct",
        1_543_714_304,
        QWEN2_1_5B,
        hub="Qwen/Qwen2.5-1.5B-Instruct Qwen2.5-1.5B",
        tags="qwen2.5:1.5b",
    ),
    _qwen(
        "Qwen2.5-3B-Instruct",
        3_085_938_688,
        QWEN2_3B,
        hub="Qwen/Qwen2.5-3B-Instruct Qwen2.5-3B",
        tags="qwen2.5:3b",
    ),
    _qwen(
        "Qwen2.5-7B-Instruct",
        7_615_616_512,
        QWEN2_7B,
        hub="Qwen/Qwen2.5-7B-Instruct Qwen2.5-7B",
        tags="qwen2.5 qwen2.5:7b",
    ),
    _qwen(
        "Qwen2.5-14B-Instruct",
        14_770_033_664,
        QWEN2_14B,
        hub="Qwen/Qwen2.5-14B-Instruct Qwen2.5-14B",
        tags="qwen2.5:14b",
    ),
    _qwen(
        "Qwen2.5-32B-Instruct",
        32_763_876_352,
        QWEN2_32B,
        hub="Qwen/Qwen2.5-32B-Instruct Qwen2.5-32B",
        tags="qwen2.5:32b",
    ),
    _qwen(
        "Qwen2.5-72B-Instruct",
        72_706_203_648,
        QWEN2_72B,
        hub="Qwen/Qwen2.5-72B-Instruct Qwen2.5-72B",
        tags="qwen2.5:72b",
    ),
    _qwen(
        "QwQ-32B",
        32_763_876_352,
        replace(QWEN2_32B, context=40960),
        hub="Qwen/QwQ-32B",
        tags="qwq qwq:32b",
    ),
    _qwen("QwQ-32B-Preview", 32_763_876_352, QWEN2_32B, hub="Qwen/QwQ-32B-Preview"),
    _qwen(
        "Qwen2.5-7B-Instruct-1M",
        7_615_616_512,
        replace(QWEN2_7B, context=1010000),
        hub="Qwen/Qwen2.5-7B-Instruct-1M",
    ),
    _qwen(
        "Qwen2.5-14B-Instruct-1M",
        14_770_033_664,
        replace(QWEN2_14B, context=1010000),
        hub="Qwen/Qwen2.5-14B-Instruct-1M",
    ),
)

MODELS = _QWEN1_5 + _QWEN2 + _QWEN2_5

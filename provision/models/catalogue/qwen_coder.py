"""The Coder, Math and vision models on top of Qwen 2 and 2.5.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .entry import entry
from .qwen import (
    QWEN2_1_5B,
    QWEN2_3B,
    QWEN2_7B,
    QWEN2_14B,
    QWEN2_32B,
    QWEN2_72B,
    QWEN2_HALF_B,
)

_qwen = partial(entry, "Qwen")

_CODER = (
    _qwen(
        "Qwen2.5-Coder-0.5B-Instruct",
        494_032_768,
        QWEN2_HALF_B,
        hub="Qwen/Qwen2.5-Coder-0.5B-Instruct Qwen2.5-Coder-0.5B",
        tags="qwen2.5-coder:0.5b",
    ),
    _qwen(
        "Qwen2.5-Coder-1.5B-Instruct",
        1_543_714_304,
        QWEN2_1_5B,
        hub="Qwen/Qwen2.5-Coder-1.5B-Instruct Qwen2.5-Coder-1.5B",
        tags="qwen2.5-coder:1.5b qwen2.5-coder:1.5b-base",
    ),
    _qwen(
        "Qwen2.5-Coder-3B-Instruct",
        3_085_938_688,
        QWEN2_3B,
        hub="Qwen/Qwen2.5-Coder-3B-Instruct Qwen2.5-Coder-3B",
        tags="qwen2.5-coder:3b",
    ),
    _qwen(
        "Qwen2.5-Coder-7B-Instruct",
        7_615_616_512,
        QWEN2_7B,
        hub="Qwen/Qwen2.5-Coder-7B-Instruct Qwen2.5-Coder-7B",
        tags="qwen2.5-coder qwen2.5-coder:7b",
    ),
    _qwen(
        "Qwen2.5-Coder-14B-Instruct",
        14_770_033_664,
        QWEN2_14B,
        hub="Qwen/Qwen2.5-Coder-14B-Instruct Qwen2.5-Coder-14B",
        tags="qwen2.5-coder:14b",
    ),
    _qwen(
        "Qwen2.5-Coder-32B-Instruct",
        32_763_876_352,
        QWEN2_32B,
        hub="Qwen/Qwen2.5-Coder-32B-Instruct Qwen2.5-Coder-32B",
        tags="qwen2.5-coder:32b",
    ),
)

_MATH = (
    _qwen(
        "Qwen2.5-Math-1.5B-Instruct",
        1_543_714_304,
        replace(QWEN2_1_5B, context=4096),
        hub="Qwen/Qwen2.5-Math-1.5B-Instruct Qwen2.5-Math-1.5B",
    ),
    _qwen(
        "Qwen2.5-Math-7B-Instruct",
        7_615_616_512,
        replace(QWEN2_7B, context=4096),
        hub="Qwen/Qwen2.5-Math-7B-Instruct Qwen2.5-Math-7B",
    ),
    _qwen(
        "Qwen2.5-Math-72B-Instruct",
        72_706_203_648,
        replace(QWEN2_72B, context=4096),
        hub="Qwen/Qwen2.5-Math-72B-Instruct Qwen2.5-Math-72B",
    ),
)

_VISION = (
    _qwen(
        "Qwen2-VL-2B-Instruct",
        2_208_985_600,
        replace(QWEN2_1_5B, architecture="qwen2vl", other_parameters=665_271_296),
        hub="Qwen/Qwen2-VL-2B-Instruct",
    ),
    _qwen(
        "Qwen2-VL-7B-Instruct",
        8_291_375_616,
        replace(QWEN2_7B, architecture="qwen2vl", other_parameters=675_759_104),
        hub="Qwen/Qwen2-VL-7B-Instruct",
    ),
    _qwen(
        "Qwen2.5-VL-3B-Instruct",
        3_754_622_976,
        replace(QWEN2_3B, architecture="qwen2vl", context=128000, other_parameters=668_684_288),
        hub="Qwen/Qwen2.5-VL-3B-Instruct",
        tags="qwen2.5vl:3b",
    ),
    _qwen(
        "Qwen2.5-VL-7B-Instruct",
        8_292_166_656,
        replace(QWEN2_7B, architecture="qwen2vl", context=128000, other_parameters=676_550_144),
        hub="Qwen/Qwen2.5-VL-7B-Instruct",
        tags="qwen2.5vl qwen2.5vl:7b",
    ),
    _qwen(
        "Qwen2.5-VL-32B-Instruct",
        33_452_718_336,
        replace(QWEN2_32B, architecture="qwen2vl", context=128000, other_parameters=688_841_984),
        hub="Qwen/Qwen2.5-VL-32B-Instruct",
        tags="qwen2.5vl:32b",
    ),
    _qwen(
        "Qwen2.5-VL-72B-Instruct",
        73_410_777_344,
        replace(QWEN2_72B, architecture="qwen2vl", context=128000, other_parameters=704_573_696),
        hub="Qwen/Qwen2.5-VL-72B-Instruct",
        tags="qwen2.5vl:72b",
    ),
)

MODELS = _CODER + _MATH + _VISION

"""Alibaba's Qwen3: dense, with experts, Coder, Next and vision.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Recurrent, Shape
from .entry import entry

_qwen = partial(entry, "Qwen")

_1_7B = Shape("qwen3", 28, 2048, 16, 8, 128, 6144, 151936, tied=True, context=40960)
_4B = Shape("qwen3", 36, 2560, 32, 8, 128, 9728, 151936, tied=True, context=40960)
QWEN3_8B = Shape("qwen3", 36, 4096, 32, 8, 128, 12288, 151936, context=40960)
_32B = Shape("qwen3", 64, 5120, 64, 8, 128, 25600, 151936, context=40960)
_30B = Shape(
    "qwen3moe", 48, 2048, 32, 4, 128, 0, 151936, experts=Experts(128, 8, 768), context=40960
)
_235B = Shape(
    "qwen3moe", 94, 4096, 64, 4, 128, 0, 151936, experts=Experts(128, 8, 1536), context=40960
)

_DENSE = (
    _qwen(
        "Qwen3-0.6B",
        596_049_920,
        Shape("qwen3", 28, 1024, 16, 8, 128, 3072, 151936, tied=True, context=40960),
        hub="Qwen/Qwen3-0.6B Qwen3-0.6B-Base",
        tags="qwen3:0.6b",
    ),
    _qwen(
        "Qwen3-1.7B", 1_720_574_976, _1_7B, hub="Qwen/Qwen3-1.7B Qwen3-1.7B-Base", tags="qwen3:1.7b"
    ),
    _qwen("Qwen3-4B", 4_022_468_096, _4B, hub="Qwen/Qwen3-4B Qwen3-4B-Base"),
    _qwen(
        "Qwen3-4B-Instruct-2507",
        4_022_468_096,
        replace(_4B, context=262144),
        hub="Qwen/Qwen3-4B-Instruct-2507 Qwen3-4B-Thinking-2507",
        tags="qwen3:4b qwen3:4b-instruct qwen3:4b-thinking",
    ),
    _qwen(
        "Qwen3-8B",
        8_190_735_360,
        QWEN3_8B,
        hub="Qwen/Qwen3-8B Qwen3-8B-Base",
        tags="qwen3 qwen3:8b",
    ),
    _qwen(
        "Qwen3-14B",
        14_768_307_200,
        Shape("qwen3", 40, 5120, 40, 8, 128, 17408, 151936, context=40960),
        hub="Qwen/Qwen3-14B Qwen3-14B-Base",
        tags="qwen3:14b",
    ),
    _qwen("Qwen3-32B", 32_762_123_264, _32B, hub="Qwen/Qwen3-32B", tags="qwen3:32b"),
)

_EXPERTS = (
    _qwen("Qwen3-30B-A3B", 30_532_122_624, _30B, hub="Qwen/Qwen3-30B-A3B Qwen3-30B-A3B-Base"),
    _qwen(
        "Qwen3-30B-A3B-Instruct-2507",
        30_532_122_624,
        replace(_30B, context=262144),
        hub="Qwen/Qwen3-30B-A3B-Instruct-2507 Qwen3-30B-A3B-Thinking-2507",
        tags="qwen3:30b qwen3:30b-a3b qwen3:30b-instruct qwen3:30b-thinking",
    ),
    _qwen(
        "Qwen3-Coder-30B-A3B-Instruct",
        30_532_122_624,
        replace(_30B, context=262144),
        hub="Qwen/Qwen3-Coder-30B-A3B-Instruct",
        tags="qwen3-coder qwen3-coder:30b qwen3-coder:30b-a3b-instruct",
    ),
    _qwen("Qwen3-235B-A22B", 235_093_634_560, _235B, hub="Qwen/Qwen3-235B-A22B"),
    _qwen(
        "Qwen3-235B-A22B-Instruct-2507",
        235_093_634_560,
        replace(_235B, context=262144),
        hub="Qwen/Qwen3-235B-A22B-Instruct-2507 Qwen3-235B-A22B-Thinking-2507",
        tags="qwen3:235b qwen3:235b-a22b qwen3:235b-instruct qwen3:235b-thinking",
    ),
    _qwen(
        "Qwen3-Coder-480B-A35B-Instruct",
        480_154_875_392,
        Shape(
            "qwen3moe",
            62,
            6144,
            96,
            8,
            128,
            0,
            151936,
            experts=Experts(160, 8, 2560),
            context=262144,
        ),
        hub="Qwen/Qwen3-Coder-480B-A35B-Instruct",
        tags="qwen3-coder:480b qwen3-coder:480b-a35b-instruct",
    ),
)

# The state of a gated delta net: value heads x 128 x 128 and the last 3 inputs of a convolution,
# both in float32.
_NEXT_STATE = (32 * 128 * 128 + 3 * (2 * 16 + 32) * 128) * 4

_NEXT = (
    _qwen(
        "Qwen3-Next-80B-A3B-Instruct",
        79_674_391_296,
        Shape(
            "qwen3next",
            48,
            2048,
            16,
            2,
            256,
            0,
            151936,
            experts=Experts(512, 10, 512, shared_ffn=512),
            recurrent=Recurrent(36, _NEXT_STATE, parameters=33_718_464),
            context=262144,
        ),
        hub="Qwen/Qwen3-Next-80B-A3B-Instruct Qwen3-Next-80B-A3B-Thinking",
        tags="qwen3-next qwen3-next:80b",
    ),
)

_VISION = (
    _qwen(
        "Qwen3-VL-2B-Instruct",
        2_127_532_032,
        replace(_1_7B, architecture="qwen3vl", context=262144, other_parameters=406_957_056),
        hub="Qwen/Qwen3-VL-2B-Instruct Qwen3-VL-2B-Thinking",
        tags="qwen3-vl:2b",
    ),
    _qwen(
        "Qwen3-VL-4B-Instruct",
        4_437_815_808,
        replace(_4B, architecture="qwen3vl", context=262144, other_parameters=415_347_712),
        hub="Qwen/Qwen3-VL-4B-Instruct Qwen3-VL-4B-Thinking",
        tags="qwen3-vl:4b",
    ),
    _qwen(
        "Qwen3-VL-8B-Instruct",
        8_767_123_696,
        replace(QWEN3_8B, architecture="qwen3vl", context=262144, other_parameters=576_388_336),
        hub="Qwen/Qwen3-VL-8B-Instruct Qwen3-VL-8B-Thinking",
        tags="qwen3-vl qwen3-vl:8b",
    ),
    _qwen(
        "Qwen3-VL-30B-A3B-Instruct",
        31_070_754_032,
        replace(_30B, architecture="qwen3vlmoe", context=262144, other_parameters=538_631_408),
        hub="Qwen/Qwen3-VL-30B-A3B-Instruct Qwen3-VL-30B-A3B-Thinking",
        tags="qwen3-vl:30b",
    ),
    _qwen(
        "Qwen3-VL-32B-Instruct",
        33_357_390_064,
        replace(_32B, architecture="qwen3vl", context=262144, other_parameters=595_266_800),
        hub="Qwen/Qwen3-VL-32B-Instruct Qwen3-VL-32B-Thinking",
        tags="qwen3-vl:32b",
    ),
    _qwen(
        "Qwen3-VL-235B-A22B-Instruct",
        235_670_022_896,
        replace(_235B, architecture="qwen3vlmoe", context=262144, other_parameters=576_388_336),
        hub="Qwen/Qwen3-VL-235B-A22B-Instruct Qwen3-VL-235B-A22B-Thinking",
        tags="qwen3-vl:235b",
    ),
)

MODELS = _DENSE + _EXPERTS + _NEXT + _VISION

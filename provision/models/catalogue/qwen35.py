"""Alibaba's Qwen3.5 and 3.6: three of four layers are gated delta nets, all models see images.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
`other_parameters` are the vision tower and the layer for multi-token prediction.
"""

from __future__ import annotations

from functools import partial

from ..shape import Experts, Recurrent, Shape
from .entry import entry

_qwen = partial(entry, "Qwen")


def _delta_nets(layers: int, hidden: int, value_heads: int) -> Recurrent:
    """Of 16 key heads, all heads 128 wide, with a convolution over 4 tokens.

    The state is one 128 x 128 matrix a value head and the last 3 inputs of the convolution, both
    in float32 (`mamba_ssm_dtype` of config.json).
    """
    values = value_heads * 128
    convolved = 2 * 16 * 128 + values
    inputs = hidden * (convolved + values + 2 * value_heads)
    mixer = inputs + 4 * convolved + 2 * value_heads + 128 + values * hidden
    return Recurrent(layers, 4 * (values * 128 + 3 * convolved), mixer)


_9B = Shape(
    "qwen35",
    32,
    4096,
    16,
    4,
    256,
    12288,
    248320,
    recurrent=_delta_nets(24, 4096, 32),
    context=262144,
    other_parameters=699_301_104,
)
_27B = Shape(
    "qwen35",
    64,
    5120,
    24,
    4,
    256,
    17408,
    248320,
    recurrent=_delta_nets(48, 5120, 48),
    context=262144,
    other_parameters=885_429_488,
)
_35B = Shape(
    "qwen35moe",
    40,
    2048,
    16,
    2,
    256,
    0,
    248320,
    experts=Experts(256, 8, 512, shared_ffn=512),
    recurrent=_delta_nets(30, 2048, 32),
    context=262144,
    other_parameters=1_291_212_016,
)
_122B = Shape(
    "qwen35moe",
    48,
    3072,
    32,
    2,
    256,
    0,
    248320,
    experts=Experts(256, 8, 1024, shared_ffn=1024),
    recurrent=_delta_nets(36, 3072, 64),
    context=262144,
    other_parameters=2_974_970_096,
)
_397B = Shape(
    "qwen35moe",
    60,
    4096,
    32,
    2,
    256,
    0,
    248320,
    experts=Experts(512, 10, 1024, shared_ffn=1024),
    recurrent=_delta_nets(45, 4096, 64),
    context=262144,
    other_parameters=7_051_578_608,
)

MODELS = (
    _qwen("Qwen3.5-9B", 9_653_104_368, _9B, hub="Qwen/Qwen3.5-9B", tags="qwen3.5 qwen3.5:9b"),
    _qwen("Qwen3.5-27B", 27_781_427_952, _27B, hub="Qwen/Qwen3.5-27B", tags="qwen3.5:27b"),
    _qwen("Qwen3.6-27B", 27_781_427_952, _27B, hub="Qwen/Qwen3.6-27B", tags="qwen3.6:27b"),
    _qwen("Qwen3.5-35B-A3B", 35_951_822_704, _35B, hub="Qwen/Qwen3.5-35B-A3B", tags="qwen3.5:35b"),
    _qwen("Qwen3.6-35B-A3B", 35_951_822_704, _35B, hub="Qwen/Qwen3.6-35B-A3B"),
    _qwen(
        "Qwen3.5-122B-A10B",
        125_086_497_008,
        _122B,
        hub="Qwen/Qwen3.5-122B-A10B",
        tags="qwen3.5:122b",
    ),
    _qwen("Qwen3.5-397B-A17B", 403_397_928_944, _397B, hub="Qwen/Qwen3.5-397B-A17B"),
)

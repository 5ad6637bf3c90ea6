"""Microsoft's Phi-2 to Phi-4.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Shape
from .entry import entry

_phi = partial(entry, "Phi")

_3_MINI = Shape("phi3", 32, 3072, 32, 32, 96, 8192, 32064, context=4096)
# Its biases are those of every matrix and norm.
_3_SMALL = Shape(
    "phi3", 32, 4096, 32, 8, 128, 14336, 100352, tied=True, context=8192, other_parameters=1_642_496
)
_3_MEDIUM = Shape("phi3", 40, 5120, 40, 10, 128, 17920, 32064, context=4096)
_4 = Shape("phi3", 40, 5120, 40, 10, 128, 17920, 100352, context=16384)
_4_MINI = Shape("phi3", 32, 3072, 24, 8, 128, 8192, 200064, tied=True, context=131072)

MODELS = (
    _phi(
        "phi-2",
        2_779_683_840,
        Shape("phi2", 32, 2560, 32, 32, 80, 10240, 51200, context=2048),
        hub="microsoft/phi-2",
        tags="phi phi:2.7b",
        quant="Q4_0",
        native="F16",
    ),
    _phi(
        "Phi-3-mini-4k-instruct",
        3_821_079_552,
        _3_MINI,
        hub="microsoft/Phi-3-mini-4k-instruct",
        tags="phi3:mini-4k phi3:3.8b-mini-4k-instruct",
        quant="Q4_0",
    ),
    _phi(
        "Phi-3-mini-128k-instruct",
        3_821_079_552,
        replace(_3_MINI, context=131072),
        hub="microsoft/Phi-3-mini-128k-instruct",
        tags="phi3 phi3:3.8b phi3:mini phi3:mini-128k",
        quant="Q4_0",
    ),
    _phi(
        "Phi-3-medium-4k-instruct",
        13_960_238_080,
        _3_MEDIUM,
        hub="microsoft/Phi-3-medium-4k-instruct",
        tags="phi3:medium-4k",
        quant="Q4_0",
    ),
    _phi(
        "Phi-3-medium-128k-instruct",
        13_960_238_080,
        replace(_3_MEDIUM, context=131072),
        hub="microsoft/Phi-3-medium-128k-instruct",
        tags="phi3:14b phi3:medium phi3:medium-128k",
        quant="Q4_0",
    ),
    _phi(
        "Phi-3.5-mini-instruct",
        3_821_079_552,
        replace(_3_MINI, context=131072),
        hub="microsoft/Phi-3.5-mini-instruct",
        tags="phi3.5 phi3.5:3.8b",
        quant="Q4_0",
    ),
    _phi(
        "Phi-3.5-MoE-instruct",
        41_873_153_344,
        Shape(
            "phimoe", 32, 4096, 32, 8, 128, 0, 32064, experts=Experts(16, 2, 6400), context=131072
        ),
        hub="microsoft/Phi-3.5-MoE-instruct",
    ),
    _phi("phi-4", 14_659_507_200, _4, hub="microsoft/phi-4", tags="phi4 phi4:14b"),
    _phi(
        "Phi-4-reasoning",
        14_659_507_200,
        replace(_4, context=32768),
        hub="microsoft/Phi-4-reasoning Phi-4-reasoning-plus",
        tags="phi4-reasoning phi4-reasoning:14b phi4-reasoning:plus",
    ),
    _phi(
        "Phi-4-mini-instruct",
        3_836_021_760,
        _4_MINI,
        hub="microsoft/Phi-4-mini-instruct",
        tags="phi4-mini phi4-mini:3.8b",
    ),
    _phi(
        "Phi-4-mini-reasoning",
        3_836_021_760,
        _4_MINI,
        hub="microsoft/Phi-4-mini-reasoning",
        tags="phi4-mini-reasoning phi4-mini-reasoning:3.8b",
    ),
    _phi(
        "Phi-3-small-8k-instruct", 7_392_272_384, _3_SMALL, hub="microsoft/Phi-3-small-8k-instruct"
    ),
    _phi(
        "Phi-3-small-128k-instruct",
        7_392_272_384,
        replace(_3_SMALL, context=131072),
        hub="microsoft/Phi-3-small-128k-instruct",
    ),
)

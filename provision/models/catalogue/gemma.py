"""Google's Gemma 1 to 3n and CodeGemma.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
Gemma 2 has a window in every other layer, Gemma 3 in five of six, Gemma 3n in four of five.
"""

from __future__ import annotations

from functools import partial

from ..shape import Shape, Window
from .entry import entry

_gemma = partial(entry, "Gemma")

_2B = Shape("gemma", 18, 2048, 8, 1, 256, 16384, 256000, tied=True, context=8192)
_7B = Shape("gemma", 28, 3072, 16, 16, 256, 24576, 256000, tied=True, context=8192)

_GEMMA = (
    _gemma(
        "gemma-2b-it",
        2_506_172_416,
        _2B,
        hub="google/gemma-2b-it gemma-2b gemma-1.1-2b-it",
        tags="gemma:2b",
        quant="Q4_0",
    ),
    _gemma(
        "gemma-7b-it",
        8_537_680_896,
        _7B,
        hub="google/gemma-7b-it gemma-7b gemma-1.1-7b-it",
        tags="gemma gemma:7b",
        quant="Q4_0",
    ),
    _gemma(
        "codegemma-2b",
        2_506_172_416,
        _2B,
        hub="google/codegemma-2b codegemma-1.1-2b",
        tags="codegemma:2b",
        quant="Q4_0",
    ),
    _gemma(
        "codegemma-7b-it",
        8_537_680_896,
        _7B,
        hub="google/codegemma-7b-it codegemma-7b codegemma-1.1-7b-it",
        tags="codegemma codegemma:7b",
        quant="Q4_0",
    ),
)

_GEMMA2 = (
    _gemma(
        "gemma-2-2b-it",
        2_614_341_888,
        Shape(
            "gemma2",
            26,
            2304,
            8,
            4,
            256,
            9216,
            256000,
            tied=True,
            window=Window(4096, 13),
            context=8192,
        ),
        hub="google/gemma-2-2b-it gemma-2-2b",
        tags="gemma2:2b",
        quant="Q4_0",
    ),
    _gemma(
        "gemma-2-9b-it",
        9_241_705_984,
        Shape(
            "gemma2",
            42,
            3584,
            16,
            8,
            256,
            14336,
            256000,
            tied=True,
            window=Window(4096, 21),
            context=8192,
        ),
        hub="google/gemma-2-9b-it gemma-2-9b",
        tags="gemma2 gemma2:9b",
        quant="Q4_0",
    ),
    _gemma(
        "gemma-2-27b-it",
        27_227_128_320,
        Shape(
            "gemma2",
            46,
            4608,
            32,
            16,
            128,
            36864,
            256000,
            tied=True,
            window=Window(4096, 23),
            context=8192,
        ),
        hub="google/gemma-2-27b-it gemma-2-27b",
        tags="gemma2:27b",
        quant="Q4_0",
    ),
)

_GEMMA3 = (
    _gemma(
        "gemma-3-270m-it",
        268_098_176,
        Shape(
            "gemma3",
            18,
            640,
            4,
            1,
            256,
            2048,
            262144,
            tied=True,
            window=Window(512, 15),
            context=32768,
        ),
        hub="google/gemma-3-270m-it gemma-3-270m",
        tags="gemma3:270m",
        quant="Q8_0",
    ),
    _gemma(
        "gemma-3-1b-it",
        999_885_952,
        Shape(
            "gemma3",
            26,
            1152,
            4,
            1,
            256,
            6912,
            262144,
            tied=True,
            window=Window(512, 22),
            context=32768,
        ),
        hub="google/gemma-3-1b-it gemma-3-1b-pt",
        tags="gemma3:1b",
    ),
    _gemma(
        "gemma-3-4b-it",
        4_300_079_472,
        Shape(
            "gemma3",
            34,
            2560,
            8,
            4,
            256,
            10240,
            262208,
            tied=True,
            window=Window(1024, 29),
            context=131072,
            other_parameters=419_816_304,
        ),
        hub="google/gemma-3-4b-it gemma-3-4b-pt",
        tags="gemma3 gemma3:4b",
    ),
    _gemma(
        "gemma-3-12b-it",
        12_187_325_040,
        Shape(
            "gemma3",
            48,
            3840,
            16,
            8,
            256,
            15360,
            262208,
            tied=True,
            window=Window(1024, 40),
            context=131072,
            other_parameters=421_290_864,
        ),
        hub="google/gemma-3-12b-it gemma-3-12b-pt",
        tags="gemma3:12b",
    ),
    _gemma(
        "gemma-3-27b-it",
        27_432_406_640,
        Shape(
            "gemma3",
            62,
            5376,
            32,
            16,
            128,
            21504,
            262208,
            tied=True,
            window=Window(1024, 52),
            context=131072,
            other_parameters=423_060_336,
        ),
        hub="google/gemma-3-27b-it gemma-3-27b-pt",
        tags="gemma3:27b",
    ),
)

MODELS = _GEMMA + _GEMMA2 + _GEMMA3

"""Mistral AI: Mistral, Mixtral, Ministral, Codestral, Devstral, Magistral, Pixtral.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..shape import Experts, Shape, Window
from .entry import entry

_mistral = partial(entry, "Mistral")

MISTRAL_7B = Shape("llama", 32, 4096, 32, 8, 128, 14336, 32000, context=32768)
_7B_V3 = Shape("llama", 32, 4096, 32, 8, 128, 14336, 32768, context=32768)
_NEMO = Shape("llama", 40, 5120, 32, 8, 128, 14336, 131072, context=131072)
_22B = Shape("llama", 56, 6144, 48, 8, 128, 16384, 32768, context=32768)
_24B = Shape("llama", 40, 5120, 32, 8, 128, 32768, 131072, context=131072)
_24B_VISION = replace(_24B, other_parameters=438_958_080)
_123B = Shape("llama", 88, 12288, 96, 8, 128, 28672, 32768, context=131072)

_SMALL = (
    _mistral(
        "Mistral-7B-Instruct-v0.1",
        7_241_732_096,
        replace(MISTRAL_7B, window=Window(4096, 32)),
        hub="mistralai/Mistral-7B-Instruct-v0.1 Mistral-7B-v0.1",
        quant="Q4_0",
        tags="mistral:7b-instruct-v0.1 mistral:7b-text",
    ),
    _mistral(
        "Mistral-7B-Instruct-v0.2",
        7_241_732_096,
        MISTRAL_7B,
        hub="mistralai/Mistral-7B-Instruct-v0.2 mistral-community/Mistral-7B-v0.2",
        tags="mistral:7b-instruct-v0.2",
        quant="Q4_0",
    ),
    _mistral(
        "Mistral-7B-Instruct-v0.3",
        7_248_023_552,
        _7B_V3,
        hub="mistralai/Mistral-7B-Instruct-v0.3 Mistral-7B-v0.3",
        tags="mistral mistral:7b mistral:instruct mistral:7b-instruct",
    ),
    _mistral(
        "Mathstral-7B-v0.1",
        7_248_023_552,
        _7B_V3,
        hub="mistralai/Mathstral-7B-v0.1",
        tags="mathstral mathstral:7b",
        quant="Q4_0",
    ),
    _mistral(
        "Ministral-8B-Instruct-2410",
        8_019_808_256,
        Shape("llama", 36, 4096, 32, 8, 128, 12288, 131072, context=32768),
        hub="mistralai/Ministral-8B-Instruct-2410",
    ),
    _mistral(
        "Mistral-Nemo-Instruct-2407",
        12_247_782_400,
        _NEMO,
        hub="mistralai/Mistral-Nemo-Instruct-2407 Mistral-Nemo-Base-2407",
        tags="mistral-nemo mistral-nemo:12b",
        quant="Q4_0",
    ),
    _mistral(
        "Pixtral-12B-2409",
        12_682_745_856,
        replace(_NEMO, other_parameters=434_963_456),
        hub="mistralai/Pixtral-12B-2409 mistral-community/pixtral-12b",
    ),
)

_MINISTRAL3 = (
    _mistral(
        "Ministral-3-3B-Instruct-2512",
        3_849_090_048,
        Shape(
            "mistral3",
            26,
            3072,
            32,
            8,
            128,
            9216,
            131072,
            tied=True,
            context=262144,
            other_parameters=420_083_712,
        ),
        hub="mistralai/Ministral-3-3B-Instruct-2512",
        tags="ministral-3:3b",
        native="FP8",
    ),
    _mistral(
        "Ministral-3-8B-Instruct-2512",
        8_918_026_240,
        Shape(
            "mistral3",
            34,
            4096,
            32,
            8,
            128,
            14336,
            131072,
            context=262144,
            other_parameters=428_472_320,
        ),
        hub="mistralai/Ministral-3-8B-Instruct-2512",
        tags="ministral-3 ministral-3:8b",
        native="FP8",
    ),
    _mistral(
        "Ministral-3-14B-Instruct-2512",
        13_945_031_680,
        Shape(
            "mistral3",
            40,
            5120,
            32,
            8,
            128,
            16384,
            131072,
            context=262144,
            other_parameters=438_958_080,
        ),
        hub="mistralai/Ministral-3-14B-Instruct-2512",
        tags="ministral-3:14b",
        native="FP8",
    ),
)

_MEDIUM = (
    _mistral(
        "Mistral-Small-Instruct-2409",
        22_247_282_688,
        _22B,
        hub="mistralai/Mistral-Small-Instruct-2409",
        tags="mistral-small:22b",
        quant="Q4_0",
    ),
    _mistral(
        "Codestral-22B-v0.1",
        22_247_282_688,
        _22B,
        hub="mistralai/Codestral-22B-v0.1",
        tags="codestral codestral:22b",
        quant="Q4_0",
    ),
    _mistral(
        "Mistral-Small-24B-Instruct-2501",
        23_572_403_200,
        replace(_24B, context=32768),
        hub="mistralai/Mistral-Small-24B-Instruct-2501 Mistral-Small-24B-Base-2501",
        tags="mistral-small mistral-small:24b",
    ),
    _mistral(
        "Mistral-Small-3.1-24B-Instruct-2503",
        24_011_361_280,
        _24B_VISION,
        hub="mistralai/Mistral-Small-3.1-24B-Instruct-2503 Mistral-Small-3.1-24B-Base-2503",
        tags="mistral-small3.1 mistral-small3.1:24b",
    ),
    _mistral(
        "Mistral-Small-3.2-24B-Instruct-2506",
        24_011_361_280,
        _24B_VISION,
        hub="mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        tags="mistral-small3.2 mistral-small3.2:24b",
    ),
    _mistral(
        "Devstral-Small-2505",
        23_572_403_200,
        _24B,
        hub="mistralai/Devstral-Small-2505 Devstral-Small-2507",
        tags="devstral devstral:24b",
    ),
    _mistral(
        "Magistral-Small-2506",
        23_572_403_200,
        replace(_24B, context=40960),
        hub="mistralai/Magistral-Small-2506",
        tags="magistral magistral:24b",
    ),
)

_LARGE = (
    _mistral(
        "Mixtral-8x7B-Instruct-v0.1",
        46_702_792_704,
        Shape("llama", 32, 4096, 32, 8, 128, 0, 32000, experts=Experts(8, 2, 14336), context=32768),
        hub="mistralai/Mixtral-8x7B-Instruct-v0.1 Mixtral-8x7B-v0.1",
        tags="mixtral mixtral:8x7b mixtral:instruct",
        quant="Q4_0",
    ),
    _mistral(
        "Mistral-Large-Instruct-2407",
        122_610_069_504,
        _123B,
        hub="mistralai/Mistral-Large-Instruct-2407 Mistral-Large-Instruct-2411",
        tags="mistral-large mistral-large:123b",
    ),
    _mistral(
        "Mixtral-8x22B-Instruct-v0.1",
        140_630_071_296,
        Shape("llama", 56, 6144, 48, 8, 128, 0, 32768, experts=Experts(8, 2, 16384), context=65536),
        hub="mistralai/Mixtral-8x22B-Instruct-v0.1 Mixtral-8x22B-v0.1",
        tags="mixtral:8x22b mixtral:8x22b-instruct",
        quant="Q4_0",
    ),
)

MODELS = _SMALL + _MINISTRAL3 + _MEDIUM + _LARGE

"""Kimi, MiniMax, Nemotron, EXAONE, StarCoder2, SmolLM and TinyLlama.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace

from ..shape import Experts, Latent, Shape, Window
from .entry import entry
from .llama import LLAMA3_8B, LLAMA3_70B

_KIMI_K2 = Shape(
    "deepseek2",
    61,
    7168,
    64,
    64,
    192,
    18432,
    163840,
    value_dim=128,
    experts=Experts(384, 8, 2048, shared_ffn=2048, dense_layers=1),
    latent=Latent(512, 64, 128, 128, query_rank=1536),
    context=131072,
)

_LARGE = (
    entry(
        "Kimi",
        "Kimi-K2-Instruct",
        1_026_408_232_448,
        _KIMI_K2,
        hub="moonshotai/Kimi-K2-Instruct Kimi-K2-Base",
        native="FP8",
    ),
    entry(
        "Kimi",
        "Kimi-K2-Instruct-0905",
        1_026_408_232_448,
        replace(_KIMI_K2, context=262144),
        hub="moonshotai/Kimi-K2-Instruct-0905",
        native="FP8",
    ),
    entry(
        "MiniMax",
        "MiniMax-M2",
        228_689_764_864,
        Shape(
            "minimax-m2",
            62,
            3072,
            48,
            8,
            128,
            0,
            200064,
            experts=Experts(256, 8, 1536),
            context=196608,
        ),
        hub="MiniMaxAI/MiniMax-M2 MiniMax-M2.1 MiniMax-M2.5",
        native="FP8",
    ),
    entry(
        "Nemotron",
        "Llama-3.1-Nemotron-70B-Instruct-HF",
        70_553_706_496,
        LLAMA3_70B,
        hub="nvidia/Llama-3.1-Nemotron-70B-Instruct-HF",
        tags="nemotron nemotron:70b",
        aliases="Llama-3.1-Nemotron-70B-Instruct",
    ),
    entry(
        "Nemotron",
        "Llama-3.1-Nemotron-Nano-8B-v1",
        8_030_261_248,
        LLAMA3_8B,
        hub="nvidia/Llama-3.1-Nemotron-Nano-8B-v1",
    ),
    entry(
        "Nemotron",
        "Nemotron-Mini-4B-Instruct",
        4_190_509_056,
        Shape("nemotron", 32, 3072, 24, 8, 128, 9216, 256000, context=4096),
        hub="nvidia/Nemotron-Mini-4B-Instruct",
        tags="nemotron-mini nemotron-mini:4b",
    ),
)

_EXAONE = (
    entry(
        "EXAONE",
        "EXAONE-3.5-2.4B-Instruct",
        2_405_327_360,
        Shape("exaone", 30, 2560, 32, 8, 80, 7168, 102400, tied=True, context=32768),
        hub="LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct EXAONE-Deep-2.4B",
        tags="exaone3.5:2.4b exaone-deep:2.4b",
    ),
    entry(
        "EXAONE",
        "EXAONE-3.5-7.8B-Instruct",
        7_818_448_896,
        Shape("exaone", 32, 4096, 32, 8, 128, 14336, 102400, context=32768),
        hub="LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct EXAONE-Deep-7.8B",
        tags="exaone3.5 exaone3.5:7.8b exaone-deep exaone-deep:7.8b",
    ),
    entry(
        "EXAONE",
        "EXAONE-3.5-32B-Instruct",
        32_003_200_000,
        Shape("exaone", 64, 5120, 40, 8, 128, 27392, 102400, context=32768),
        hub="LGAI-EXAONE/EXAONE-3.5-32B-Instruct EXAONE-Deep-32B",
        tags="exaone3.5:32b exaone-deep:32b",
    ),
)

_STARCODER2 = (
    entry(
        "StarCoder",
        "starcoder2-3b",
        3_030_371_328,
        Shape(
            "starcoder2",
            30,
            3072,
            24,
            2,
            128,
            12288,
            49152,
            tied=True,
            window=Window(4096, 30),
            context=16384,
        ),
        hub="bigcode/starcoder2-3b",
        tags="starcoder2 starcoder2:3b",
        quant="Q4_0",
    ),
    entry(
        "StarCoder",
        "starcoder2-7b",
        7_173_923_840,
        Shape(
            "starcoder2",
            32,
            4608,
            36,
            4,
            128,
            18432,
            49152,
            tied=True,
            window=Window(4096, 32),
            context=16384,
        ),
        hub="bigcode/starcoder2-7b",
        tags="starcoder2:7b",
        quant="Q4_0",
    ),
    entry(
        "StarCoder",
        "starcoder2-15b",
        15_957_889_024,
        Shape(
            "starcoder2", 40, 6144, 48, 4, 128, 24576, 49152, window=Window(4096, 40), context=16384
        ),
        hub="bigcode/starcoder2-15b starcoder2-15b-instruct-v0.1",
        tags="starcoder2:15b",
        quant="Q4_0",
    ),
)

_SMALL = (
    entry(
        "SmolLM",
        "SmolLM2-135M-Instruct",
        134_515_008,
        Shape("llama", 30, 576, 9, 3, 64, 1536, 49152, tied=True, context=8192),
        hub="HuggingFaceTB/SmolLM2-135M-Instruct SmolLM2-135M",
        tags="smollm2:135m",
        quant="F16",
    ),
    entry(
        "SmolLM",
        "SmolLM2-360M-Instruct",
        361_821_120,
        Shape("llama", 32, 960, 15, 5, 64, 2560, 49152, tied=True, context=8192),
        hub="HuggingFaceTB/SmolLM2-360M-Instruct SmolLM2-360M",
        tags="smollm2:360m",
        quant="F16",
    ),
    entry(
        "SmolLM",
        "SmolLM2-1.7B-Instruct",
        1_711_376_384,
        Shape("llama", 24, 2048, 32, 32, 64, 8192, 49152, tied=True, context=8192),
        hub="HuggingFaceTB/SmolLM2-1.7B-Instruct SmolLM2-1.7B",
        tags="smollm2 smollm2:1.7b",
        quant="Q8_0",
    ),
    entry(
        "SmolLM",
        "SmolLM3-3B",
        3_075_098_624,
        Shape("smollm3", 36, 2048, 16, 4, 128, 11008, 128256, tied=True, context=65536),
        hub="HuggingFaceTB/SmolLM3-3B SmolLM3-3B-Base",
    ),
    entry(
        "TinyLlama",
        "TinyLlama-1.1B-Chat-v1.0",
        1_100_048_384,
        Shape("llama", 22, 2048, 32, 4, 64, 5632, 32000, context=2048),
        hub="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        tags="tinyllama tinyllama:1.1b",
        quant="Q4_0",
    ),
)

MODELS = _LARGE + _EXAONE + _STARCODER2 + _SMALL

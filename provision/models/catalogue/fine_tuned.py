"""Well-known models that others made from Llama and Mistral: Vicuna, Zephyr, SOLAR, Hermes.

Shapes are written: architecture, layers, hidden, heads, KV heads, head width, ffn, vocabulary.
"""

from __future__ import annotations

from dataclasses import replace

from ..shape import Shape
from .entry import entry
from .llama import LLAMA2_7B, LLAMA2_13B, LLAMA3_8B, LLAMA3_70B
from .mistral import MISTRAL_7B

MODELS = (
    entry(
        "Mistral",
        "zephyr-7b-beta",
        7_241_732_096,
        MISTRAL_7B,
        hub="HuggingFaceH4/zephyr-7b-beta",
        tags="zephyr zephyr:7b",
        quant="Q4_0",
    ),
    entry(
        "SOLAR",
        "SOLAR-10.7B-Instruct-v1.0",
        10_731_524_096,
        replace(MISTRAL_7B, layers=48, context=4096),
        hub="upstage/SOLAR-10.7B-Instruct-v1.0 SOLAR-10.7B-v1.0",
        tags="solar solar:10.7b",
        quant="Q4_0",
        native="F16",
    ),
    entry(
        "Vicuna",
        "vicuna-7b-v1.5",
        6_738_415_616,
        LLAMA2_7B,
        hub="lmsys/vicuna-7b-v1.5",
        tags="vicuna vicuna:7b",
        quant="Q4_0",
        native="F16",
    ),
    entry(
        "Vicuna",
        "vicuna-13b-v1.5",
        13_015_864_320,
        LLAMA2_13B,
        hub="lmsys/vicuna-13b-v1.5",
        tags="vicuna:13b",
        quant="Q4_0",
        native="F16",
    ),
    entry(
        "Vicuna",
        "vicuna-33b-v1.3",
        32_528_943_616,
        Shape("llama", 60, 6656, 52, 52, 128, 17920, 32000, context=2048),
        hub="lmsys/vicuna-33b-v1.3",
        tags="vicuna:33b",
        quant="Q4_0",
        native="F16",
    ),
    entry(
        "Llama",
        "Hermes-3-Llama-3.1-8B",
        8_030_261_248,
        LLAMA3_8B,
        hub="NousResearch/Hermes-3-Llama-3.1-8B",
        tags="hermes3 hermes3:8b",
        quant="Q4_0",
    ),
    entry(
        "Llama",
        "Hermes-3-Llama-3.1-70B",
        70_553_706_496,
        LLAMA3_70B,
        hub="NousResearch/Hermes-3-Llama-3.1-70B",
        tags="hermes3:70b",
        quant="Q4_0",
    ),
)

"""Pace: what an engine makes of a card, as a few numbers fitted to published measurements.

docs/explanation/speed.md compares the outcome with each of those measurements and names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provision.models.weights import Quantisation

# 13,464 tokens a second of prompt with 3 of 35 billion parameters on 2 x RTX 5090 with vLLM
# (github.com/noonghunna/club-3090/issues/873): fewer than so few parameters would let expect.
_MIXTURE = 0.4


@dataclass(frozen=True, slots=True)
class Pace:
    """Shares are of the data sheet's figure, times in seconds.

    memory: share of bandwidth while reading weights and KV cache, by kind of memory. packed: times
    that share for weights of four bits or fewer. layer: overhead of one layer of one step; eager:
    the same without CUDA graphs. hop: from one stage to the next. arithmetic: share of TFLOPS, and
    `most_tflops` what its kernels reach at best. piece: tokens of a prompt read in one step.
    growth: how much longer each further request of a batch makes the reading of weights, and up to
    how much. exchange: share of a link's bandwidth that its all-reduces use. mixture: times that
    share of TFLOPS for a mixture of experts, whose matrix products are small.
    """

    memory: Mapping[str, float]
    layer: float
    eager: float
    hop: float
    arithmetic: float
    piece: int
    packed: float = 1.0
    most_tflops: float | None = None
    growth: tuple[float, float] = (0.0, 0.0)
    exchange: float = 1.0
    mixture: float = _MIXTURE


# XiongjieDai/GPU-Benchmarks-on-LLM-Inference (2024-05) for memory, layer, hop and arithmetic; the
# batches of llama.cpp's pull requests 7676 and 15802 for growth.
_LLAMA = Pace(
    memory={"gddr": 0.9, "hbm": 0.6, "lpddr": 0.8},
    layer=0.08e-3,
    eager=0.08e-3,
    hop=0.19e-3,
    arithmetic=0.75,
    piece=512,
    most_tflops=130.0,
    growth=(0.15, 0.6),
)
# vLLM's CI (H200, build 9515) for memory and layer; mlc-ai/llm-perf-bench (vLLM of 2023, which had
# no CUDA graphs) for eager; two RTX 3090 and 4090 with AWQ for packed.
_VLLM = Pace(
    memory={"gddr": 0.9, "hbm": 0.65, "lpddr": 0.8},
    layer=0.03e-3,
    eager=0.2e-3,
    hop=0.1e-3,
    arithmetic=0.6,
    piece=2048,
    packed=0.75,
)
# exllama's 24.4 tokens a second of a 70B of 35.3 GB on 2 x RTX 4090 (mlc-ai/llm-perf-bench); its
# tensor parallelism reads prompts three times slower over PCIe
# (github.com/turboderp-org/exllamav2/issues/734: 379 against 1046 tokens a second on 2 x RTX 3090).
_EXLLAMA = Pace(
    memory={"gddr": 0.9, "hbm": 0.65, "lpddr": 0.8},
    layer=0.02e-3,
    eager=0.02e-3,
    hop=0.1e-3,
    arithmetic=0.9,
    piece=2048,
    exchange=0.15,
)

_PACES: Mapping[str, Pace] = {
    "ollama": _LLAMA,
    "llama-server": _LLAMA,
    "vllm": _VLLM,
    "sglang": _VLLM,
    "tabbyapi": _EXLLAMA,
}

_FOUR_BITS = frozenset({"AWQ", "GPTQ", "BNB-4", "NVFP4", "MXFP4", "INT4"})
_SIXTEEN_BITS = frozenset({"F16", "BF16", "F32"})
_FP8_ARITHMETIC = frozenset({"FP8", "NVFP4"})


def pace_of(engine: str) -> Pace:
    """Of an engine by its name; one that is not known counts as vLLM."""
    return _PACES.get(engine, _VLLM)


def reading_share(pace: Pace, kind: str, quantisation: Quantisation) -> float:
    """Share of the bandwidth that reading weights in this quantisation reaches."""
    packed = pace.packed if quantisation.name in _FOUR_BITS else 1.0
    return pace.memory[kind] * packed


def reading_growth(pace: Pace, quantisation: Quantisation, batch: float) -> float:
    """How much longer a step of a batch reads weights: kernels for packed ones unpack them again
    for each few requests, those for 16 bits do not (llama.cpp's pull request 15131: 65 tokens a
    second alone and 485 in a batch of 8, 8B BF16 on an RTX 4090)."""
    if quantisation.name in _SIXTEEN_BITS:
        return 1.0
    each, most = pace.growth
    return 1.0 + min(each * max(0.0, batch - 1), most)


def in_fp8(quantisation: Quantisation) -> bool:
    """Whether the arithmetic can be done in 8 bits where the card has that."""
    return quantisation.name in _FP8_ARITHMETIC

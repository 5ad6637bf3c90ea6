"""GigaGPU, "When You Need Multi-GPU Inference"."""

from __future__ import annotations

from .case import (
    AWQ,
    BF16,
    FITS,
    L405B,
    MANY,
    QWEN_7B,
    QWEN_14B,
    R1,
    REFUSED,
    V3,
    Case,
    ollama,
    vllm,
)

# Its table "Min GPUs": model, on cards of 96 GB, on cards of 48 GB; None: not on 8 cards.
MIN_GPUS = (
    ("Llama 3 70B", "meta-llama/Meta-Llama-3-70B-Instruct", 2, 4),
    ("Mixtral 8x22B", "mistralai/Mixtral-8x22B-Instruct-v0.1", 4, 8),
    ("DeepSeek-V3", V3, 8, None),
    ("DeepSeek-R1", R1, 8, None),
    ("Llama 3 405B", L405B, None, None),
)


def _minimum(model: str, reference: str, machine: str, size: str, count: int | None) -> Case:
    wish = vllm(reference)
    if count is None:
        says = f"{model}: not on 8 cards of {size}"
        return Case("GigaGPU", says, machine, wish, REFUSED, "refused: no-fit")
    says = f"{model}: at least {count} cards of {size}"
    return Case("GigaGPU", says, machine, wish, ("tensor",), f"tensor {count}", count)


GIGAGPU = (
    *(
        _minimum(name, reference, machine, size, count)
        for name, reference, *counts in MIN_GPUS
        for machine, size, count in zip(
            ("8 x RTX PRO 6000", "8 x RTX 6000 Ada"), ("96 GB", "48 GB"), counts, strict=True
        )
    ),
    Case(
        "GigaGPU", "2 x RTX 5090: budget 70B inference",
        "2 x RTX 5090", vllm(AWQ), FITS, "tensor 2", 2,
    ),
    Case(
        "GigaGPU", "tensor parallel for the lowest latency, with a fast interconnect",
        "2 x H100, NVLink", vllm(BF16), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "GigaGPU", "pipeline where the interconnect is slow, for throughput",
        "2 x RTX 4090, x8", vllm(QWEN_14B, **MANY), ("pipeline",), "pipeline 2", 2,
    ),
    Case(
        "GigaGPU", "very large models on more than 4 GPUs: tensor x pipeline",
        "8 x RTX 4090", vllm(BF16, **MANY),
        ("pipeline", "tensor x pipeline"), "tensor 4 x pipeline 2", 8,
    ),
    Case(
        "GigaGPU", "the same, for one stream", "8 x RTX 4090", vllm(BF16),
        ("pipeline", "tensor x pipeline"), "tensor 8", 8,
        why="for one stream 8 cards that read at once are faster than stages that wait for each "
        "other, also over PCIe",
    ),
    Case(
        "GigaGPU", "Llama 3 70B: tensor 2, context 8192, utilization 0.90", "2 x RTX PRO 6000",
        vllm("meta-llama/Meta-Llama-3-70B-Instruct", tensor_parallel_size=2, context=8192,
             memory_utilization=0.9),
        ("tensor",), "tensor 2", 2,
    ),
    Case(
        "GigaGPU", "DeepSeek-R1: tensor 8, context 32768, utilization 0.92, eager",
        "8 x RTX PRO 6000",
        vllm(R1, tensor_parallel_size=8, context=32768, memory_utilization=0.92,
             args=["--enforce-eager"]),
        ("tensor",), "tensor 8", 8,
    ),
    Case(
        "GigaGPU", "more cards serve more requests of a model that fits one",
        "2 x RTX 4090", vllm(QWEN_7B, replicas="auto", **MANY), ("copies",),
        "2 copies, one GPU each", 2,
    ),
    Case(
        "GigaGPU", "Ollama distributes a 70B when one GPU lacks the memory",
        "2 x RTX 4090", ollama("llama3:70b"), ("layers",), "layers over 2 GPUs", 2,
    ),
)  # fmt: skip

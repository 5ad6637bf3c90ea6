"""Maximilian B., "Multi-GPU LLM Inference on Linux: Setup, Load Balancing, and Scaling"."""

from __future__ import annotations

from .case import (
    AWQ,
    BF16,
    BF16_IN_48,
    FITS,
    L405B,
    LLAMA_8B,
    MANY,
    QWEN_7B,
    QWEN_14B,
    REFUSED,
    Case,
    ollama,
    vllm,
)

LINUX_GUIDE = (
    Case("Linux guide", "one GPU handles 7B", "1 x RTX 4090", vllm(QWEN_7B), FITS, "one GPU", 1),
    Case("Linux guide", "and 13B", "1 x RTX 4090", ollama("llama2:13b"), FITS, "one GPU", 1),
    Case(
        "Linux guide", "a 34B is too much for one GPU", "1 x RTX 4090", ollama("codellama:34b"),
        REFUSED, "one GPU", 1,
        why="true of 16 bits (67 GB); at 4 bits it is 20 GB and fits 24 GB with 8K of context",
    ),
    Case(
        "Linux guide", "a 70B with 4 bits is too much for any consumer GPU",
        "1 x RTX 5090", ollama("llama3.1:70b"), REFUSED, "refused: no-fit",
    ),
    Case(
        "Linux guide", "NVLink: tensor parallel works well up to 8 GPUs",
        "8 x H100, NVLink", vllm(f"{L405B}-FP8"), ("tensor",), "tensor 8", 8,
    ),
    Case(
        "Linux guide", "PCIe: tensor parallel is acceptable for 2 GPUs",
        "2 x RTX 4090", vllm(QWEN_14B), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "Linux guide", "PCIe: little gain beyond 2 GPUs",
        "8 x RTX 4090", vllm(AWQ), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "Linux guide", "PCIe, 3 cards: copies rather than a split",
        "3 x RTX 4090", vllm(LLAMA_8B, replicas="auto", **MANY), ("copies",),
        "3 copies, one GPU each", 3,
    ),
    Case(
        "Linux guide", "PCIe, 4 cards: copies rather than a split",
        "4 x RTX 4090", vllm(LLAMA_8B, replicas="auto"), ("copies",), "4 copies, one GPU each", 4,
    ),
    Case(
        "Linux guide", "a third GPU does not always help (tensor parallel over PCIe)",
        "3 x RTX 4090", vllm(QWEN_14B), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "Linux guide", "mixed GPUs: different models on different GPUs", "RTX 3090 + RTX 3060",
        {
            "large": {"engine": "ollama", "model": "qwen3:32b"},
            "small": {"engine": "ollama", "model": "llama3.1:8b"},
        },
        ("several",), "large: one GPU; small: one GPU", 2,
    ),
    Case(
        "Linux guide", "mixed GPUs: no tensor parallel (different memory)", "RTX 3090 + RTX 3060",
        vllm(AWQ, tensor_parallel_size=2), REFUSED, "refused: unequal-gpus",
    ),
    Case(
        "Linux guide", "mixed GPUs: no tensor parallel (different models)", "RTX 3090 + RTX 4090",
        vllm(QWEN_14B, tensor_parallel_size=2), REFUSED, "refused: unequal-gpus",
    ),
    Case(
        "Linux guide", "llama3.1:70b-instruct-q4_K_M needs 2 GPUs of 24 GB", "2 x RTX 4090",
        ollama("llama3.1:70b-instruct-q4_K_M"), ("layers",), "layers over 2 GPUs", 2,
    ),
    Case(
        "Linux guide", "vLLM, Llama-3.1-70B-Instruct, tensor 2, context 4096 (24 GB cards)",
        "2 x RTX 4090", vllm(BF16, tensor_parallel_size=2, context=4096), FITS, "refused: no-fit",
        why=BF16_IN_48,
    ),
    Case(
        "Linux guide", "the same on data centre cards", "2 x H100, NVLink",
        vllm(BF16, tensor_parallel_size=2, context=4096), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "Linux guide", "vLLM, Llama-3.1-70B-Instruct, tensor 4 (24 GB cards)", "4 x RTX 4090",
        vllm(BF16, tensor_parallel_size=4), FITS, "refused: no-fit",
        why="141 GB of weights are more than the 103 GB of four cards",
    ),
    Case(
        "Linux guide", "small models on GPU 0 and GPU 1, a large one on GPUs 2 and 3",
        "4 x RTX 4090",
        {
            "small": {"engine": "ollama", "model": "llama3.1:8b", "replicas": 2},
            "large": {"engine": "ollama", "model": "llama3.1:70b-instruct-q4_K_M"},
        },
        ("several",), "small: 2 copies, one GPU each; large: layers over 2 GPUs", 4,
    ),
    Case(
        "Linux guide", "7B on 2 x RTX 4090: one instance per GPU", "2 x RTX 4090",
        vllm(QWEN_7B, replicas="per-gpu"), ("copies",), "2 copies, one GPU each", 2,
    ),
    Case(
        "Linux guide", "70B on 2 x RTX 4090: tensor parallel, 3 to 6 users", "2 x RTX 4090",
        vllm(AWQ), ("tensor",), "tensor 2", 2,
    ),
)  # fmt: skip

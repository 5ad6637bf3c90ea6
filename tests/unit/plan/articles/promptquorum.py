"""PromptQuorum, "Multi-GPU Local LLMs 2026", and its short form."""

from __future__ import annotations

from .case import (
    BF16,
    BF16_IN_48,
    FITS,
    LLAMA_8B,
    MANY,
    QWEN_7B,
    QWEN_14B,
    REFUSED,
    Case,
    file,
    ollama,
    vllm,
)

PROMPTQUORUM = (
    Case("PromptQuorum", "1 x RTX 4090: 7B", "1 x RTX 4090", vllm(QWEN_7B), FITS, "one GPU", 1),
    Case(
        "PromptQuorum", "1 x RTX 4090: 70B cannot fit",
        "1 x RTX 4090", ollama("llama3.3:70b"), REFUSED, "refused: no-fit",
    ),
    Case(
        "PromptQuorum", "2 x RTX 4090: 70B Q4; Ollama places layers 1-40 and 41-80",
        "2 x RTX 4090", ollama("llama3.3:70b"), ("layers",), "layers over 2 GPUs", 2,
    ),
    Case(
        "PromptQuorum", "2 x RTX 4090: 70B Q5", "2 x RTX 4090",
        file("Llama-3.3-70B-Instruct-Q5_K_M", context=2048), FITS, "refused: no-fit",
        why="49.9 GB of weights in 51.5 GB leave too little for the context and the engine",
    ),
    Case(
        "PromptQuorum", "1 x RTX 5090: 70B Q4 without splitting at 4K context", "1 x RTX 5090",
        ollama("llama3.3:70b", context=4096), FITS, "refused: no-fit",
        why="42.5 GB of weights are more than the card's 34.2 GB",
    ),
    Case(
        "PromptQuorum", "2 x RTX 5090: 70B Q8", "2 x RTX 5090",
        file("Llama-3.3-70B-Instruct-Q8_0"), FITS, "refused: no-fit",
        why="75.0 GB of weights are more than the 68.4 GB of both cards",
    ),
    Case(
        "PromptQuorum", "2 x RTX 5090: 405B Q4", "2 x RTX 5090",
        file("Llama-3.1-405B-Instruct-Q4_K_M"), FITS, "refused: no-fit",
        why="243 GB of weights are more than the 68.4 GB of both cards",
    ),
    Case(
        "PromptQuorum", "RTX 6000 Ada + RTX 4090: 70B FP16", "RTX 6000 Ada + RTX 4090",
        file("Llama-3.3-70B-Instruct-F16"), FITS, "refused: no-fit",
        why="141 GB of weights are more than the 77.3 GB of both cards",
    ),
    Case(
        "PromptQuorum", "vllm serve Llama-3.1-70B --tensor-parallel-size 2 on two RTX 4090",
        "2 x RTX 4090", vllm(BF16, tensor_parallel_size=2), FITS, "refused: no-fit",
        why=BF16_IN_48,
    ),
    Case(
        "PromptQuorum", "several cards where 50 and more users are served", "2 x RTX 4090",
        vllm(LLAMA_8B, replicas="auto", **MANY), ("copies",), "2 copies, one GPU each", 2,
    ),
    Case(
        "PromptQuorum", "several cards for multiple 13B models at the same time", "2 x RTX 4090",
        {
            "a": {"engine": "vllm", "model": "Qwen/Qwen3-14B-FP8"},
            "b": {"engine": "vllm", "model": "Qwen/Qwen2.5-14B-Instruct-AWQ"},
        },
        ("several",), "a: one GPU; b: one GPU", 2,
    ),
    Case(
        "PromptQuorum", "tensor parallel on 4090 + 4080 works, held to 16 GB a card",
        "RTX 4090 + RTX 4080", vllm(QWEN_14B, tensor_parallel_size=2), ("tensor",),
        "refused: unequal-gpus",
        why="every layer would be cut evenly and 8 GB of the 4090 stay empty; a pipeline by room "
        "uses both (next row)",
    ),
    Case(
        "PromptQuorum", "vLLM supports mixed GPU setups", "RTX 4090 + RTX 4080",
        vllm(QWEN_14B), FITS, "pipeline 2, uneven", 2,
    ),
    Case(
        "PromptQuorum", "llama.cpp supports mixed GPU setups", "RTX 4090 + RTX 4080",
        file("Qwen3-32B-Q6_K"), FITS, "layers over 2 GPUs, uneven", 2,
    ),
    Case(
        "PromptQuorum", "a 70B on one 4090 by CPU offload, before a second card is bought",
        "1 x RTX 4090", ollama("llama3.3:70b", cpu_offload=True), ("one GPU",),
        "one GPU, rest in RAM", 1,
    ),
    Case(
        "PromptQuorum", "Q4 in place of Q5 or Q8, before a second card is bought",
        "1 x RTX 4090", ollama("qwen3:32b"), ("one GPU",), "one GPU", 1,
    ),
    Case(
        "PromptQuorum", "70B at Q8 needs 4 x RTX 4090", "4 x RTX 4090",
        file("Llama-3.3-70B-Instruct-Q8_0"), ("layers",), "layers over 4 GPUs", 4,
    ),
    Case(
        "PromptQuorum", "405B at Q4 in 4 x RTX 4090, barely", "4 x RTX 4090",
        file("Llama-3.1-405B-Instruct-Q4_K_M"), FITS, "refused: no-fit",
        why="243 GB of weights, 103 GB of memory; also the article's own 200 GB are twice as much",
    ),
    Case(
        "PromptQuorum", "405B: 4 x A100 80 GB", "4 x A100, NVLink",
        vllm("hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4"), ("tensor",), "tensor 4", 4,
    ),
    Case(
        "PromptQuorum", "70B with 32K of context: two 5090", "2 x RTX 5090",
        ollama("llama3.3:70b", context=32768), ("layers",), "layers over 2 GPUs", 2,
    ),
)  # fmt: skip

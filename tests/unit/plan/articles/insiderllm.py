"""InsiderLLM, "Multi-GPU Local AI: Run Models Across Multiple GPUs"."""

from __future__ import annotations

from .case import (
    AWQ,
    BF16,
    BF16_IN_48,
    FITS,
    LLAMA_8B,
    MANY,
    NEMO,
    Q4,
    QWEN_14B,
    REFUSED,
    Case,
    file,
    ollama,
    one,
    vllm,
)

TENSOR_IS_FASTER = (
    "for one stream a pipeline works with one card at a time; tensor parallel reads both at once "
    "and is the faster one on PCIe too, as the same article measures (21 against 16 to 18)"
)

_BENCH = file("Meta-Llama-3-8B-Instruct-Q4_K_M")

# Its tables of models that two cards of 24 GB hold: model, file, whether it fits.
ON_TWO_24 = (
    ("Llama 3.3 70B Q3_K_M", "Llama-3.3-70B-Instruct-Q3_K_M", True),
    ("Llama 3.3 70B Q4_K_M", Q4, True),
    ("Qwen 2.5 72B Q3_K_M", "Qwen2.5-72B-Instruct-Q3_K_M", True),
    ("Qwen 2.5 72B Q4_K_M", "Qwen2.5-72B-Instruct-Q4_K_M", False),
    ("any 32B Q8_0", "Qwen3-32B-Q8_0", True),
    ("any 32B FP16", "Qwen3-32B-F16", False),
    ("DeepSeek R1 Distill 70B Q4_K_M", "DeepSeek-R1-Distill-Llama-70B-Q4_K_M", True),
)

# "Other Configurations": set-up, what it names, machine, file, number of cards.
OTHER_SETUPS = (
    ("2 x 8 GB", "Qwen3 14B at Q4", "2 x RTX 4060", "Qwen3-14B-Q4_K_M", 2),
    ("2 x 8 GB", "Phi-4 at Q4", "2 x RTX 4060", "phi-4-Q4_K_M", 2),
    ("2 x 12 GB", "Gemma 3 27B at Q3", "2 x RTX 3060", "gemma-3-27b-it-Q3_K_M", 2),
    ("2 x 12 GB", "Gemma 3 27B at Q4", "2 x RTX 3060", "gemma-3-27b-it-Q4_K_M", 2),
    ("2 x 12 GB", "Qwen3 32B at Q3", "2 x RTX 3060", "Qwen3-32B-Q3_K_M", 2),
    ("2 x 12 GB", "Qwen3 32B at Q4", "2 x RTX 3060", "Qwen3-32B-Q4_K_M", 2),
    ("2 x 16 GB", "32B at Q5", "2 x RTX 4060 Ti", "Qwen3-32B-Q5_K_M", 2),
    ("2 x 16 GB", "32B at Q6", "2 x RTX 4060 Ti", "Qwen3-32B-Q6_K", 2),
    ("2 x 16 GB", "27B at Q8", "2 x RTX 4060 Ti", "gemma-3-27b-it-Q8_0", 2),
    ("2 x 24 GB", "70B at Q3", "2 x RTX 4090", "Llama-3.3-70B-Instruct-Q3_K_M", 2),
    ("2 x 24 GB", "70B at Q4", "2 x RTX 4090", Q4, 2),
    ("4 x 24 GB", "70B at Q8", "4 x RTX 3090", "Llama-3.3-70B-Instruct-Q8_0", 4),
    ("4 x 24 GB", "123B at Q4", "4 x RTX 3090", "Mistral-Large-Instruct-2411-Q4_K_M", 4),
)

# The head fills the last card, so that the first holds more layers.
LARGE_HEAD = {"27B at Q8"}

INSIDERLLM = (
    Case(
        "InsiderLLM", "an 8B on 2 cards is 3 % slower than on 1: do not split what fits",
        "2 x RTX 3090", _BENCH, ("one GPU",), "one GPU", 1,
    ),
    Case("InsiderLLM", "on 4 cards 6 % slower", "4 x RTX 3090", _BENCH, ("one GPU",), "one GPU", 1),
    Case(
        "InsiderLLM", "on 6 cards 10 % slower", "6 x RTX 3090", _BENCH, ("one GPU",), "one GPU", 1
    ),
    Case(
        "InsiderLLM", "your model fits one card: just use Ollama",
        "2 x RTX 3090", ollama("llama3.1:8b"), ("one GPU",), "one GPU", 1,
    ),
    Case(
        "InsiderLLM", "2 GPUs with NVLink: tensor parallel",
        "2 x RTX 3090, NVLink", vllm(AWQ), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "InsiderLLM", "2 GPUs on PCIe (consumer boards): pipeline, for throughput",
        "2 x RTX 4090, x8", vllm(QWEN_14B, **MANY), ("pipeline",), "pipeline 2", 2,
    ),
    Case(
        "InsiderLLM", "2 GPUs on PCIe: pipeline, for one stream", "2 x RTX 4090, x8",
        vllm(QWEN_14B), ("pipeline",), "tensor 2", 2, why=TENSOR_IS_FASTER,
    ),
    Case(
        "InsiderLLM", "2 GPUs on PCIe: pipeline, where both have all 16 lanes", "2 x RTX 4090",
        vllm(QWEN_14B, **MANY), ("pipeline",), "tensor 2", 2,
        why="with 16 lanes each the exchange costs less than a pipeline's bubbles by the "
        "estimate, by so little that measuring decides (pipeline_parallel_size: 2 asks for it)",
    ),
    Case(
        "InsiderLLM", "mixed sizes (3090 + 3060): pipeline", "RTX 3090 + RTX 3060",
        vllm(NEMO), ("pipeline",), "pipeline 2, uneven", 2,
    ),
    Case(
        "InsiderLLM", "high-throughput batch serving: tensor parallel", "2 x RTX 3090, NVLink",
        vllm(QWEN_14B, **MANY), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "InsiderLLM", "high-throughput batch serving without NVLink: tensor parallel",
        "2 x RTX 4090, x8", vllm(QWEN_14B, **MANY), ("tensor",), "pipeline 2", 2,
        why="its table also says pipeline for two cards on PCIe and quotes vLLM's documentation "
        "for it; over 8 lanes that wins",
    ),
    Case(
        "InsiderLLM", "llama.cpp splits by layers (2 x 4090, 70B Q3_K)", "2 x RTX 4090",
        file("Llama-3.3-70B-Instruct-Q3_K_M"), ("layers",), "layers over 2 GPUs", 2,
    ),
    Case(
        "InsiderLLM", "llama.cpp on unequal cards: --tensor-split 24,12", "RTX 3090 + RTX 3060",
        file("Qwen3-32B-Q6_K"), ("layers",), "layers over 2 GPUs, uneven", 2,
    ),
    Case(
        "InsiderLLM", "Ollama on unequal cards: layers by free memory", "RTX 3090 + RTX 3060",
        ollama("qwen2.5:32b-instruct-q6_K"), ("layers",), "layers over 2 GPUs, uneven", 2,
    ),
    Case(
        "InsiderLLM", "ExLlamaV2 on unequal cards: --gs 24,12", "RTX 3090 + RTX 3060",
        one("tabbyapi", "/srv/models/Qwen3-32B-exl3-6.0bpw"), ("gpu_split",),
        "gpu_split over 2 GPUs, uneven", 2,
    ),
    Case(
        "InsiderLLM", "vLLM tensor parallel needs the same VRAM on all cards",
        "RTX 3090 + RTX 3060", vllm(QWEN_14B, tensor_parallel_size=2), REFUSED,
        "refused: unequal-gpus",
    ),
    Case(
        "InsiderLLM", "the workaround: --pipeline-parallel-size 2, --tensor-parallel-size 1",
        "RTX 3090 + RTX 3060", vllm(NEMO, pipeline_parallel_size=2, tensor_parallel_size=1),
        ("pipeline",), "pipeline 2, uneven", 2,
    ),
    Case(
        "InsiderLLM", "vllm serve Llama-3.3-70B-Instruct --tensor-parallel-size 2 (dual 24 GB)",
        "2 x RTX 3090", vllm(BF16, tensor_parallel_size=2), FITS, "refused: no-fit",
        why=BF16_IN_48,
    ),
    *(
        Case(
            "InsiderLLM", f"2 x 24 GB: {name} {'fits' if fits else 'does not fit'}",
            "2 x RTX 3090", file(stored), FITS if fits else REFUSED,
            "layers over 2 GPUs" if fits else "refused: no-fit",
        )
        for name, stored, fits in ON_TWO_24
    ),
    *(
        Case(
            "InsiderLLM", f"{setup}: {what}", machine, file(stored), ("layers",),
            f"layers over {count} GPUs{', uneven' if what in LARGE_HEAD else ''}", count,
        )
        for setup, what, machine, stored, count in OTHER_SETUPS
    ),
    Case(
        "InsiderLLM", "4 x 24 GB: a 405B needs more, even at Q4", "4 x RTX 3090",
        file("Llama-3.1-405B-Instruct-Q4_K_M"), REFUSED, "refused: no-fit",
    ),
    Case(
        "InsiderLLM", "1 x RTX 3090 + CPU offload: 70B Q4", "1 x RTX 3090",
        file(Q4, cpu_offload=True), ("one GPU",), "one GPU, rest in RAM", 1,
    ),
    Case(
        "InsiderLLM", "2 x RTX 3090, layer split: 70B Q4",
        "2 x RTX 3090", ollama("llama3.3:70b"), ("layers",), "layers over 2 GPUs", 2,
    ),
    Case(
        "InsiderLLM", "2 x RTX 3090, vLLM tensor parallel: 70B Q4, best for one request",
        "2 x RTX 3090", vllm(AWQ), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "InsiderLLM", "8 GPUs, vLLM tensor parallel: 70B BF16, 50 users", "8 x A100, NVLink",
        vllm(BF16, gpus=8, **MANY), ("tensor",), "tensor 8", 8,
    ),
    Case(
        "InsiderLLM", "4 GPUs: 100B+ at Q4",
        "4 x RTX 4090", file("Mistral-Large-Instruct-2411-Q4_K_M"), FITS, "layers over 4 GPUs", 4,
    ),
    Case(
        "InsiderLLM", "8 on PCIe: one request gains little beyond 2 to 4", "8 x RTX 4090",
        vllm(AWQ), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "InsiderLLM", "8 on PCIe: better for batches; communication dominates one wide group",
        "8 x RTX 4090", vllm(BF16, **MANY), ("tensor x pipeline",), "tensor 4 x pipeline 2", 8,
    ),
    Case(
        "InsiderLLM", "3090 + 3060 run 70B models (Q4)", "RTX 3090 + RTX 3060",
        ollama("llama3.3:70b"), FITS, "refused: no-fit",
        why="42.5 GB of weights at Q4_K_M are more than the 38.7 GB of both; Q2_K fits (next row)",
    ),
    Case(
        "InsiderLLM", "3090 + 3060 run 70B models (Q2)", "RTX 3090 + RTX 3060",
        ollama("llama3.3:70b-instruct-q2_K"), FITS, "layers over 2 GPUs, uneven", 2,
    ),
    Case(
        "InsiderLLM", "no tool splits a model over NVIDIA and AMD", "RTX 4090 + Instinct MI210",
        file("Llama-3.3-70B-Instruct-Q8_0", gpus=2), REFUSED, "refused: mixed-vendors",
    ),
    Case(
        "InsiderLLM", "dual 3090s, 70B: llama.cpp by layers",
        "2 x RTX 3090", file(Q4), ("layers",), "layers over 2 GPUs", 2,
    ),
    Case(
        "InsiderLLM", "dual 3090s, 70B: or vLLM with a pipeline", "2 x RTX 3090, x8", vllm(AWQ),
        ("pipeline",), "tensor 2", 2, why=TENSOR_IS_FASTER,
    ),
    Case(
        "InsiderLLM", "dual 3090s with NVLink: vLLM tensor parallel",
        "2 x RTX 3090, NVLink", vllm(QWEN_14B), ("tensor",), "tensor 2", 2,
    ),
    Case(
        "InsiderLLM", "the easiest: Ollama splits by itself",
        "2 x RTX 3090", ollama("deepseek-r1:70b"), ("layers",), "layers over 2 GPUs", 2,
    ),
    Case(
        "InsiderLLM", "many users: vLLM tensor parallel (a model that fits one card)",
        "2 x RTX 3090, NVLink", vllm(LLAMA_8B, replicas="auto", **MANY), ("tensor",),
        "2 copies, one GPU each", 2,
        why="copies exchange nothing; \"don't use multi-GPU when your model fits on one card\" is "
        "its own rule. Tensor parallel is right for many users where the model does not fit",
    ),
)  # fmt: skip

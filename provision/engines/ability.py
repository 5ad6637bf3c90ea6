"""Ability: which ways of spreading a model an engine knows, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provision.models.weights import WeightFormat


@dataclass(frozen=True, slots=True)
class Ability:
    """What a plan may ask of an engine.

    tensor: every layer cut over GPUs. pipeline: runs of layers on GPUs one after another.
    unequal_tensor: tensor parallel over cards of different memory works. batches: a pipeline's
    stages work on different batches at the same time. offload: layers may stay in RAM.
    """

    formats: frozenset[WeightFormat]
    tensor: bool = False
    pipeline: bool = True
    unequal_tensor: bool = False
    batches: bool = False
    offload: bool = False
    expert_parallel: bool = False
    hosts: bool = False  # one instance over several hosts
    vendors: frozenset[str] = frozenset({"nvidia", "amd"})
    kv_types: tuple[str, ...] = ("f16",)
    default_context: int | None = None  # None: the largest that fits, up to the model's own
    default_parallel: int = 1
    pipeline_word: str = "pipeline"  # what the split is called: pipeline, layers, gpu_split


_GGUF: frozenset[WeightFormat] = frozenset({"gguf"})
_TENSORS: frozenset[WeightFormat] = frozenset({"safetensors"})

ABILITIES: Mapping[str, Ability] = {
    "ollama": Ability(
        _GGUF,
        offload=True,
        kv_types=("f16", "q8_0", "q4_0"),
        default_context=8192,
        pipeline_word="layers",
    ),
    "llama-server": Ability(
        _GGUF,
        offload=True,
        kv_types=("f16", "q8_0", "q4_0"),
        default_context=8192,
        pipeline_word="layers",
    ),
    "vllm": Ability(
        _TENSORS,
        tensor=True,
        batches=True,
        expert_parallel=True,
        hosts=True,
        kv_types=("f16", "fp8"),
        default_parallel=256,
    ),
    "sglang": Ability(
        _TENSORS,
        tensor=True,
        batches=True,
        expert_parallel=True,
        hosts=True,
        kv_types=("f16", "fp8"),
        default_parallel=256,
    ),
    "tabbyapi": Ability(
        frozenset({"exl2", "exl3"}),
        tensor=True,
        unequal_tensor=True,
        vendors=frozenset({"nvidia"}),
        kv_types=("f16", "q8_0", "q4_0"),
        default_context=8192,
        default_parallel=4,
        pipeline_word="gpu_split",
    ),
}

"""What an instance puts into memory besides its model: KV cache, draft model, layers in RAM."""

from __future__ import annotations

from ..complaints import Complaints
from ..model import InstanceSpec
from ..subject import quoted
from .instance import wrong_with_model

# Types of the KV cache that each engine can be told; fp8 is vllm's word, q8_0 and q4_0 ggml's.
KV_TYPES = {
    "vllm": ("f16", "fp8"),
    "ollama": ("f16", "q8_0", "q4_0"),
    "llama-server": ("f16", "q8_0", "q4_0"),
}


def check_values(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """Keys that are right or wrong by the engine alone."""
    _check_kv_cache(name, spec, complaints)
    _check_draft(name, spec, complaints)
    if spec.cpu_offload and spec.engine == "vllm":
        complaints.add(
            "offload-engine",
            f"{name}: cpu_offload is for ollama and llama-server; vllm keeps every layer on GPUs",
            *("instances", name, "cpu_offload"),
            hint="remove it; a model with smaller weights (AWQ, FP8) needs less memory",
            key=True,
        )


def check_together(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """Keys that other keys make meaningless."""
    at = ("instances", name)
    models = spec.models or []
    if spec.memory is not None and len(models) > 1:
        complaints.add(
            "memory-of-several",
            f"{name}: memory is that of one model, but models has {len(models)}",
            *at,
            "memory",
            hint="give each model an instance of its own; share_gpus lets them use the same GPUs",
            key=True,
        )
    if spec.draft_model is not None and spec.draft_model == spec.model:
        complaints.add(
            "draft-is-model",
            f"{name}: draft_model is the model itself, which guesses no faster",
            *at,
            "draft_model",
            hint="name a much smaller model of the same family",
        )


def _check_kv_cache(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    allowed = KV_TYPES[spec.engine]
    if spec.kv_cache is None or spec.kv_cache in allowed:
        return
    nearest = "q8_0" if spec.kv_cache == "fp8" else "fp8"
    complaints.add(
        "kv-cache-engine",
        f"{name}: kv_cache is {spec.kv_cache}, which {spec.engine} does not know; "
        f"allowed: {', '.join(allowed[:-1])} or {allowed[-1]}",
        *("instances", name, "kv_cache"),
        hint=f"did you mean {nearest}?",
    )


def _check_draft(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    if spec.draft_model is None:
        return
    at = ("instances", name, "draft_model")
    if spec.engine == "ollama":
        complaints.add(
            "draft-engine",
            f"{name}: draft_model is for llama-server and vllm; ollama takes none",
            *at,
            hint="remove it, or serve the model's file with llama-server",
            key=True,
        )
        return
    wrong = wrong_with_model(spec.engine, spec.draft_model)
    if wrong:
        reason, hint = wrong
        message = f"{name}: draft_model is {quoted(spec.draft_model)}; {reason}"
        complaints.add("bad-model", message, *at, hint=hint)

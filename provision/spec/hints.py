"""Remedies: the key, the word or the number that was probably meant."""

from __future__ import annotations

import difflib

# The engines' and other tools' words for keys of ours.
_SYNONYMS = {
    "max_model_len": "context",
    "num_ctx": "context",
    "ctx_size": "context",
    "context_length": "context",
    "gpu_memory_utilization": "memory_utilization",
    "max_num_seqs": "parallel",
    "num_parallel": "parallel",
    "cache_type": "kv_cache",
    "cache_type_k": "kv_cache",
    "cache_type_v": "kv_cache",
    "kv_cache_dtype": "kv_cache",
    "kv_cache_type": "kv_cache",
    "draft": "draft_model",
    "model_draft": "draft_model",
    "speculative_config": "draft_model",
    "speculative_model": "draft_model",
    "enable_expert_parallel": "expert_parallel",
    "ep": "expert_parallel",
    "cpu_offload_gb": "cpu_offload",
    "gpu_layers": "cpu_offload",
    "n_gpu_layers": "cpu_offload",
    "num_gpu": "cpu_offload",
    "offload": "cpu_offload",
    "goal": "optimize",
    "optimise": "optimize",
    "shared_gpus": "share_gpus",
    "exclude_gpus": "reserved_gpus",
    "environment": "env",
    "arguments": "args",
    "extra_args": "args",
    "options": "args",
    "count": "replicas",
    "devices": "gpus",
    "cuda_visible_devices": "gpus",
    "path": "binary",
    "virtualenv": "venv",
    "tensor_parallel": "tensor_parallel_size",
    "tp": "tensor_parallel_size",
    "pipeline_parallel": "pipeline_parallel_size",
    "pp": "pipeline_parallel_size",
    "numa_node": "numa",
    "api_keys": "keys",
    "power_limit": "power_limit_watts",
    "persistence_mode": "persistence",
    "nginx": "proxy",
    "services": "instances",
    "upstream": "upstreams",
}
_WORDS_FOR_BOOL = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false"}


def guess_key(key: str, keys: list[str]) -> str | None:
    """The key that was meant, if any of these is near or says the same."""
    plain = key.lower().replace("-", "_")
    if _SYNONYMS.get(plain) in keys:
        return _SYNONYMS[plain]
    near = difflib.get_close_matches(plain, keys, n=1)
    return near[0] if near else None


def guess_word(text: str, choices: list[str]) -> str | None:
    """The word that was meant, if any of these is near."""
    lower = {one.lower(): one for one in choices}
    near = difflib.get_close_matches(text.lower(), sorted(lower), n=1)
    return lower[near[0]] if near else None


def bool_hint(text: str) -> str:
    """How to write what was meant as yes or no."""
    return f"write {_WORDS_FOR_BOOL.get(text.lower(), 'true or false')}"


def number_hint(text: str, plain: bool) -> str | None:
    """How to write what was meant as a number; None if it was not."""
    bare = text.replace("_", "")
    if text.lstrip("+-").isdigit():
        stripped = text.lstrip("0") or "0"
        if text.startswith("0") and text != stripped:
            return f"octal has no meaning here; write {stripped}"
        return f"write {text} without quotes" if not plain else None
    if bare.isdigit():
        return f"write {bare}"
    try:
        return f"write {int(bare, 0)}" if bare[:2].lower() in ("0x", "0o", "0b") else None
    except ValueError:
        return None

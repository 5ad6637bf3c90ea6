"""RAM: what the processes of an instance take of the host's own memory."""

from __future__ import annotations

from collections.abc import Sequence

from ..formats.stored import sees
from ..model import Model
from .kv import Cache, is_paged
from .overhead import GIB, MIB
from .parts import Load, Part
from .split import Split

_PROMPT_CACHE_MIB = 8192  # llama-server's --cache-ram
_NO_LIMIT_MIB = 65_536  # what is reckoned with where it is -1
_CHECKPOINTS = 32  # copies of windows and states for each slot (--ctx-checkpoints)


def processes(models: Sequence[Model], load: Load, split: Split) -> list[Part]:
    """The engine's own processes, without weights and cache."""
    if load.engine in ("vllm", "sglang"):
        return _torch_server(models, split.gpus)
    if load.engine == "tabbyapi":
        return [Part("process", 5 * GIB // 2, GIB, "one process with PyTorch")]
    parts = []
    if load.engine == "ollama":
        parts.append(Part("process", 300 * MIB, 200 * MIB, "ollama serve"))
    for model in models:
        note = f"llama-server, buffers that GPUs read from, {model.name}"
        parts.append(Part("process", 700 * MIB + 100 * MIB * split.gpus, 400 * MIB, note))
    return parts


def prompt_cache(load: Load) -> Part | None:
    """Prompts of the past that llama-server keeps in RAM: nothing at first, its limit at last."""
    if load.engine not in ("ollama", "llama-server"):
        return None
    limit = _PROMPT_CACHE_MIB if load.prompt_cache_mib is None else load.prompt_cache_mib
    if limit == 0:
        return None
    bound = limit if limit > 0 else _NO_LIMIT_MIB
    note = f"empty at first, grows to {bound} MiB" + ("" if limit > 0 else " and more (no limit)")
    return Part("prompt-cache", 0, bound * MIB, note)


def checkpoints(cache: Cache, load: Load) -> Part | None:
    """llama-server keeps copies of windows and states, since those cannot be wound back."""
    if is_paged(load.engine) or load.engine == "tabbyapi" or not cache.per_request:
        return None
    bound = _CHECKPOINTS * load.parallel * cache.per_request
    note = f"empty at first, {_CHECKPOINTS} copies of windows and states for each request"
    return Part("checkpoints", 0, bound, note)


def _torch_server(models: Sequence[Model], gpus: int) -> list[Part]:
    """vLLM and SGLang: an HTTP server, an engine core, and a worker for each of several GPUs."""
    parts = [
        Part("process", 3 * GIB // 2, 3 * GIB // 4, "HTTP server and tokenizer"),
        Part("process", 3 * GIB // 2, 3 * GIB // 4, "engine core with the scheduler"),
        Part("process", gpus * 5 * GIB // 2, gpus * GIB, f"{gpus} x a worker with PyTorch"),
    ]
    if any(model.shape is not None and sees(model.shape) for model in models):
        # --mm-processor-cache-gb is 4 by default, in the server and in the engine core.
        parts.append(Part("image-cache", 0, 8 * GIB, "empty at first, grows to 2 x 4 GiB"))
    return parts

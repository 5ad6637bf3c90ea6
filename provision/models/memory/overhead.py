"""Overhead: what an engine takes on a GPU besides weights and KV cache."""

from __future__ import annotations

from dataclasses import replace

from ..formats.stored import sees
from ..model import Model
from ..shape import Shape
from .kv import cache_of, kinds, step_tokens
from .parts import Load, Part
from .ranks import Stage
from .split import Split

MIB = 1 << 20
GIB = 1 << 30

_LLAMA_CPP = ("ollama", "llama-server")
_COPIES = 4  # of inputs that llama.cpp keeps when stages overlap (GGML_SCHED_MAX_COPIES)
_MLA_WORKSPACE = 65_536  # tokens whose latent vectors vLLM unfolds at once


def overhead(model: Model, load: Load, split: Split, stage: Stage) -> tuple[Part, ...]:
    """For one model on each rank of a stage, in the process that serves it."""
    if load.engine in _LLAMA_CPP:
        return (_compute_buffer(model, load, split, stage), _llama_context())
    parts = [_activations(model, load, split, stage), _torch_context(split)]
    if load.engine in ("vllm", "sglang") and not load.eager:
        parts.append(_graphs(model, load, stage))
    return tuple(parts)


def margin(load: Load) -> Part | None:
    """What the engine wants to see free on each GPU before it uses all of it.

    Ollama 0.30 and later starts llama-server without a number of GPU layers, and that keeps
    1024 MiB of each GPU free (--fit-target) by moving layers to RAM; our units ask for 256.
    """
    if load.engine != "ollama":
        return None
    return Part("fit-margin", GIB // 4, GIB * 3 // 4, "what is kept free when layers are placed")


def _llama_context() -> Part:
    """CUDA's own and cuBLAS's memory; 300 to 550 MiB by driver and card."""
    return Part("cuda-context", 410 * MIB, 150 * MIB, "CUDA and cuBLAS")


def _torch_context(split: Split) -> Part:
    """CUDA's context, and NCCL's buffers where there are several ranks.

    vLLM logs 0.06 to 0.39 GiB of "non-torch memory" beyond the context (its issues 14452, 11251).
    """
    if split.gpus == 1:
        return Part("cuda-context", 500 * MIB, 200 * MIB, "CUDA and cuBLAS")
    size = 500 * MIB + 250 * MIB + 16 * MIB * split.tensor
    return Part("cuda-context", size, 350 * MIB, "CUDA, cuBLAS and NCCL's buffers")


def _graphs(model: Model, load: Load, stage: Stage) -> Part:
    """CUDA graphs: 0.1 to 0.4 GiB in vLLM 0.2x logs, up to 2.4 GiB in those of 2024.

    SGLang captures whole graphs for many batch sizes and needs more.
    """
    layers = stage.end - stage.first if model.shape else 40
    size = 200 * MIB + 5 * MIB * layers + (512 * MIB if load.engine == "sglang" else 0)
    return Part("cuda-graphs", size, size, f"{layers} layers, graphs of all batch sizes")


def _activations(model: Model, load: Load, split: Split, stage: Stage) -> Part:
    """The peak of a step with the most tokens, as vLLM measures it with a run at start.

    Fits vLLM's published logs: Llama 3 8B with 8192 tokens a step 1.26 GiB (vLLM pull request
    10511), Qwen2.5 7B 1.40 GiB.
    """
    shape = model.shape
    if shape is None:
        return Part("activations", 3 * GIB // 2, GIB, "model known by its size alone")
    tokens = step_tokens(load)
    size = 128 * MIB + tokens * _token_bytes(shape, split.tensor)
    note = f"{tokens} tokens a step"
    if shape.latent is not None:
        size += _unfolded(shape, load, split.tensor)
        note += ", latent vectors unfolded"
    if stage.is_last and not model.embeds:
        rows = load.parallel if load.engine != "tabbyapi" else min(load.parallel, tokens)
        size += 3 * rows * shape.vocab * 4
        note += f", logits of {rows} requests x {shape.vocab} x 4 B x 3"
    error = size // 2
    if load.batch_tokens is None:
        error += _larger_step(shape, split.tensor)
    if stage.is_first and sees(shape):
        # vLLM runs the vision tower on the largest image at start.
        size += GIB
        error += 3 * GIB // 2
        note += ", images"
    return Part("activations", size, error, note)


def _larger_step(shape: Shape, tensor: int) -> int:
    """vLLM takes 8192 tokens a step in place of 2048 on cards of 70 GiB and more (not A100).

    vllm/engine/arg_utils.py, get_batch_defaults. The planner knows the card and says batch_tokens;
    where it does not, this is how far off the default may be.
    """
    return (8192 - 2048) * _token_bytes(shape, tensor)


def _token_bytes(shape: Shape, tensor: int) -> int:
    """16 bit values that one token has at the same time in the widest place of a layer."""
    dense = 3 * shape.ffn // tensor
    if shape.experts is None:
        return 2 * (4 * shape.hidden + dense)
    each = shape.experts.ffn // tensor
    routed = shape.experts.used * (max(2 * each, shape.hidden) + each)
    return 2 * (4 * shape.hidden + max(dense, routed) + 3 * shape.experts.shared_ffn // tensor)


def _unfolded(shape: Shape, load: Load, tensor: int) -> int:
    """Latent attention unfolds keys and values of a part of the context to read a prompt.

    vllm/model_executor/layers/attention/mla_attention.py, chunked prefill workspace: 8 contexts,
    at most 65,536 tokens.
    """
    if shape.latent is None:
        return 0
    tokens = min(_MLA_WORKSPACE, max(8 * load.context, 64 * load.parallel))
    heads = -(-shape.heads // tensor)
    latent = shape.latent
    wide = heads * (latent.nope_dim + latent.rope_dim + latent.value_dim)
    return 2 * tokens * (wide + latent.kv_rank + latent.rope_dim)


def _compute_buffer(model: Model, load: Load, split: Split, stage: Stage) -> Part:
    """llama.cpp's compute buffer of one GPU: it reuses memory, so the widest moment counts.

    Fits its logs: Llama 3.1 8B at ubatch 512 takes 258.5 MiB with flash attention (the logits of
    512 tokens and one row each), 560 MiB without it at 8192 tokens.
    """
    shape = model.shape
    if shape is None:
        return Part("activations", GIB // 2, GIB // 2, "model known by its size alone")
    tokens = min(step_tokens(load), load.context * load.parallel)
    layer = tokens * 4 * _row(shape) + _attention(shape, load, tokens)
    logits = 0
    if stage.is_last and not model.embeds:
        logits = tokens * 4 * (shape.vocab + shape.hidden)
    inputs = _inputs(shape, load, split, tokens)
    size = max(layer, logits, _uploaded(model, split, stage)) + inputs
    size += _unpacked(shape, load, split, stage)
    note = f"compute buffer of {tokens} tokens, "
    note += f"logits {logits // MIB} MiB, layer {layer // MIB} MiB, inputs {inputs // MIB} MiB"
    return Part("activations", size, 64 * MIB + size // 4, note)


def _row(shape: Shape) -> int:
    """32 bit values that one token has at the same time in a layer."""
    dense = 2 * shape.ffn
    if shape.experts is None:
        return 6 * shape.hidden + dense
    routed = shape.experts.used * (shape.hidden + 2 * shape.experts.ffn)
    return 6 * shape.hidden + max(dense, routed) + 2 * shape.experts.shared_ffn


def _attention(shape: Shape, load: Load, tokens: int) -> int:
    """Without flash attention every head's scores of all pairs of tokens stand in memory."""
    if load.flash_attention:
        return 0
    return shape.heads * tokens * load.context * 4


def _inputs(shape: Shape, load: Load, split: Split, tokens: int) -> int:
    """The mask of the context, in 32 bits as made and in 16 as used, and rows between stages."""
    copies = _COPIES if split.pipeline > 1 and not split.offloaded else 1
    mask = tokens * load.context * 4
    return copies * (mask + tokens * shape.hidden * 4) + mask // 2


def _unpacked(shape: Shape, load: Load, split: Split, stage: Stage) -> int:
    """A quantised cache is turned to 16 bits, a layer at a time, to read a prompt."""
    if load.kv_type in ("f16", "bf16") or shape.latent is not None:
        return 0
    wide = replace(load, kv_type="f16")
    cache = cache_of(shape, wide, split, stage.first, stage.end)
    full, windowed, _ = kinds(shape, stage.first, stage.end)
    if cache.token:
        layer = cache.token // (full + (0 if cache.window_token else windowed))
        return layer * load.context * load.parallel
    return cache.window_token // windowed * cache.window * load.parallel if windowed else 0


def _uploaded(model: Model, split: Split, stage: Stage) -> int:
    """Layers in RAM are copied to the first GPU to read a prompt, two matrices at a time.

    With experts in RAM that is most of the buffer: 898 MiB for Qwen3 30B in 16 bits
    (tools/fit-params/README.md of llama.cpp).
    """
    if not split.offloaded or not stage.is_first or not model.weights.layers:
        return 0
    largest = max(model.weights.layers[: split.offloaded])
    return largest * 2 // 3

"""Ranks: how many bytes of the weights each GPU of a split holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..formats.stored import predicts_ahead, sees
from ..model import Model
from ..shape import Shape
from ..tensors import Tensor, tensors
from ..weights import Weights
from .kv import has_cache
from .parts import Part
from .split import Split

# These read the input table on the CPU and never copy it to a GPU: llama.cpp
# (src/llama-model.cpp: "there is very little benefit to offloading the input layer") and ExLlama.
_TABLE_IN_RAM = ("ollama", "llama-server", "tabbyapi")


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers first to end - 1, on `tensor` ranks each of which holds the same."""

    first: int
    end: int
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights of one layer by how tensor parallelism treats them. In elements."""

    vectors: int = 0  # norms, biases, router, in 16 bits or more: a copy on each rank
    copied: int = 0  # projections to the latent vector: a copy on each rank
    kv: int = 0  # projections to keys and values: divided by KV heads, at least one each
    cut: int = 0  # all the rest: divided
    experts: int = 0


def stages_of(model: Model, split: Split) -> tuple[Stage, ...]:
    """The stages of a pipeline. Layers that stay in RAM are the first ones, as in llama.cpp."""
    counts = split.stages(layers_of(model))
    result = []
    first = split.offloaded
    for number, count in enumerate(counts):
        result.append(Stage(first, first + count, number == 0, number == len(counts) - 1))
        first += count
    return tuple(result)


def layers_of(model: Model) -> int:
    """Layers of a model; 0 where host.yaml gave its memory alone."""
    return model.shape.layers if model.shape else len(model.weights.layers)


def keeps_table_in_ram(engine: str) -> bool:
    return engine in _TABLE_IN_RAM


def rank_weights(model: Model, engine: str, split: Split, stage: Stage) -> Part:
    """What each rank of a stage holds."""
    if model.shape is None or not model.weights.layers:
        size = _evenly(model, split, stage)
        return _part(model, size, f"{model.name} {model.weights.quantisation} spread evenly")
    layers = _layers_share(model.weights, model.shape, split, stage)
    tables, words = _tables(model, engine, split, stage)
    note = f"{model.name} {model.weights.quantisation}, {_run(stage)}{words}"
    if split.tensor > 1:
        note += f", 1 of {split.tensor} tensor ranks"
    return _part(model, layers + tables, note)


def ram_weights(model: Model, engine: str, split: Split) -> Part | None:
    """What stays in the host's memory: offloaded layers, and the input table in some engines."""
    size = sum(model.weights.layers[: split.offloaded])
    words = [f"{split.offloaded} layers"] if size else []
    if keeps_table_in_ram(engine) and model.weights.embedding:
        size += model.weights.embedding
        words.append("the input table")
    return _part(model, size, f"{' and '.join(words)} of {model.name}") if size else None


def projector(model: Model, engine: str, stage: Stage) -> Part | None:
    """Ollama loads a model's vision tower from a file of its own, in 16 bits, to the first GPU."""
    shape = model.shape
    if engine != "ollama" or shape is None or not stage.is_first or not sees(shape):
        return None
    if model.weights.other * 4 > shape.other_parameters:
        return None  # it lies in the model's own file and is counted there
    size = 2 * shape.other_parameters
    return Part("vision", size, size // 2, f"vision tower of {model.name} in 16 bits")


def _part(model: Model, size: int, note: str) -> Part:
    return Part("weights", size, round(size * model.weights.error), note)


def _run(stage: Stage) -> str:
    count = stage.end - stage.first
    return f"layers {stage.first} to {stage.end - 1}" if count else "no layers"


def _evenly(model: Model, split: Split, stage: Stage) -> int:
    """Weights of which only the sum is known, over all ranks, by layers where they are known."""
    layers = layers_of(model)
    parts, whole = (stage.end - stage.first, layers) if layers else (1, split.pipeline)
    return -(-model.weights.total * parts // (whole * split.tensor))


def _tables(model: Model, engine: str, split: Split, stage: Stage) -> tuple[int, str]:
    """The input table on the first stage, the head on the last; a table that is both on both."""
    weights = model.weights
    size = 0
    words = []
    in_ram = keeps_table_in_ram(engine)
    if stage.is_first and not in_ram and weights.embedding:
        size += -(-weights.embedding // split.tensor)
        words.append("the input table")
    if stage.is_last:
        # A tied table serves as the head where it is, else it is there a second time.
        head = weights.output or (0 if stage.is_first and not in_ram else weights.embedding)
        if head and _has_head(model, in_ram):
            size += -(-head // split.tensor)
            words.append("the head")
    size += _others(model, stage)
    return size, "".join(f" and {word}" for word in words)


def _has_head(model: Model, in_ram: bool) -> bool:
    """vLLM leaves the head of a model that gives vectors out; llama.cpp loads it all the same,
    save for encoders, which have none."""
    return not model.embeds or (in_ram and model.shape is not None and has_cache(model.shape))


def _others(model: Model, stage: Stage) -> int:
    """The final norm on the last stage, a vision tower on the first, a copy on each rank."""
    other = model.weights.other
    shape = model.shape
    if shape is None or not shape.other_parameters:
        return other if stage.is_last else 0
    if predicts_ahead(shape):
        return min(other, 4 * shape.hidden) if stage.is_last else 0
    return other if stage.is_first else 0


def _layers_share(weights: Weights, shape: Shape, split: Split, stage: Stage) -> int:
    """Bytes of the layers of a stage on one rank."""
    sizes = weights.layers[stage.first : stage.end]
    if split.tensor == 1:
        return sum(sizes)
    all_experts = _expert_elements(shape)
    layers = _layers(shape)[stage.first : stage.end]
    total = 0
    for size, layer in zip(sizes, layers, strict=True):
        experts = weights.experts * layer.experts // all_experts if all_experts else 0
        total += _layer_share(max(size - experts, 0), layer, shape, split)
        total += _experts_share(experts, shape, split)
    return total


def _layer_share(size: int, layer: _Layer, shape: Shape, split: Split) -> int:
    """Bytes of one layer, routed experts left out, on one rank."""
    elements = layer.copied + layer.kv + layer.cut
    if not elements:
        return size
    vectors = min(2 * layer.vectors, size)
    kv_ranks = min(split.tensor, shape.kv_heads)
    held = layer.copied + -(-layer.kv // kv_ranks) + -(-layer.cut // split.tensor)
    return vectors + -(-(size - vectors) * held // elements)


def _experts_share(size: int, shape: Shape, split: Split) -> int:
    if shape.experts is None or not size:
        return 0
    if not split.experts:
        return -(-size // split.tensor)
    whole = -(-shape.experts.count // split.tensor)  # experts on the fullest rank
    return -(-size * whole // shape.experts.count)


@lru_cache(maxsize=64)
def _layers(shape: Shape) -> tuple[_Layer, ...]:
    sums: list[dict[str, int]] = [{} for _ in range(shape.layers)]
    for tensor in tensors(shape):
        if tensor.layer is not None and 0 <= tensor.layer < shape.layers:
            here = sums[tensor.layer]
            for kind, elements in _treatments(tensor, shape):
                here[kind] = here.get(kind, 0) + elements
    return tuple(_Layer(**layer) for layer in sums)


@lru_cache(maxsize=64)
def _expert_elements(shape: Shape) -> int:
    return sum(layer.experts for layer in _layers(shape))


def _treatments(tensor: Tensor, shape: Shape) -> tuple[tuple[str, int], ...]:
    """How tensor parallelism treats a tensor, with its elements; a fused projection is two."""
    name, elements = tensor.name, tensor.elements
    if "_exps" in name:
        return (("experts", elements),)
    if 1 in (tensor.rows, tensor.columns) or "norm" in name or name.startswith("ffn_gate_inp"):
        return (("vectors", elements),)
    if shape.latent is not None:
        return (("copied" if name in ("attn_q_a", "attn_kv_a_mqa") else "cut", elements),)
    if name in ("attn_k", "attn_v"):
        return (("kv", elements),)
    if name == "attn_qkv":
        value = shape.head_dim if shape.value_dim is None else shape.value_dim
        kv = min(shape.hidden * shape.kv_heads * (shape.head_dim + value), elements)
        return (("kv", kv), ("cut", elements - kv))
    return (("cut", elements),)

"""The KV cache of a model, by its architecture: what a token and a request cost on one rank."""

from __future__ import annotations

from dataclasses import dataclass

from ..shape import Shape
from .parts import Load
from .split import Split

# Bytes of so many elements: ggml's quantised types carry a 16 bit scale for 32 elements.
_TYPES: dict[str, tuple[int, int]] = {
    "f32": (4, 1),
    "f16": (2, 1),
    "bf16": (2, 1),
    "fp8": (1, 1),
    "q8_0": (34, 32),
    "q5_1": (24, 32),
    "q5_0": (22, 32),
    "q4_1": (20, 32),
    "q4_0": (18, 32),
}

_BLOCK = 16  # tokens of a block of vLLM and SGLang
_PAD = 256  # tokens that llama.cpp's and ExLlama's caches are rounded up to
_PAGED = ("vllm", "sglang")
_STEP = {"vllm": 2048, "sglang": 2048, "tabbyapi": 2048}  # tokens of one step by default
_UBATCH = 512  # the same in llama.cpp


def step_tokens(load: Load) -> int:
    """Tokens that the engine works on in one step (max_num_batched_tokens, ubatch)."""
    return load.batch_tokens or _STEP.get(load.engine, _UBATCH)


def is_paged(engine: str) -> bool:
    """Whether the engine fills what its budget leaves with blocks, instead of asking for a size."""
    return engine in _PAGED


def kv_bytes(elements: int, kv_type: str) -> int:
    """Bytes of so many elements of the cache. Raises ValueError on a type that is not known."""
    if kv_type not in _TYPES:
        raise ValueError(f"KV cache type {kv_type!r} is not one of {', '.join(sorted(_TYPES))}")
    numerator, denominator = _TYPES[kv_type]
    return -(-elements * numerator // denominator)


@dataclass(frozen=True, slots=True)
class Cache:
    """The KV cache of a run of layers on one rank. Bytes.

    token: of all layers that see everything. window_token: of all layers with a window, for each
    of the last `window` tokens. state: of recurrent layers, for a request. pad: tokens are rounded
    up to it.
    """

    token: int = 0
    window: int = 0
    window_token: int = 0
    state: int = 0
    pad: int = 1
    note: str = ""

    def request(self, tokens: int) -> int:
        """Of one request with so many tokens."""
        padded = round_up(tokens, self.pad)
        return padded * self.token + min(padded, self.window) * self.window_token + self.state

    @property
    def per_request(self) -> int:
        """What a request costs besides its tokens once its windows are full."""
        return self.window * self.window_token + self.state


def has_cache(shape: Shape) -> bool:
    """Encoders see a text at once and keep nothing: BERT and its kind, T5's encoder."""
    name = shape.architecture.lower()
    return "bert" not in name and name not in ("t5encoder", "gemma-embedding", "roberta")


def cache_of(shape: Shape, load: Load, split: Split, first: int, end: int) -> Cache:
    """Of layers first to end - 1 on each rank of their stage."""
    if not has_cache(shape) or end <= first:
        return Cache()
    full, windowed, recurrent = kinds(shape, first, end)
    state = shape.recurrent.state_bytes if shape.recurrent else 0
    layer = kv_bytes(layer_elements(shape, split.tensor), load.kv_type)
    window = shape.window.tokens if shape.window and _keeps_windows(shape, load) else 0
    if not window:
        full, windowed = full + windowed, 0
    elif load.full_window or load.context <= window:
        # Such a window never closes; all layers then cost the same.
        full, windowed = full + windowed, 0
    elif load.engine == "vllm":
        full, windowed = _grouped(full, windowed)
    return Cache(
        token=full * layer,
        window=_window_tokens(window, load) if windowed else 0,
        window_token=windowed * layer,
        state=recurrent * -(-state // split.tensor),
        pad=_BLOCK if is_paged(load.engine) else _PAD,
        note=_note(shape, load, split, full, windowed, recurrent),
    )


# Models of these architectures have a window in config.json, and llama.cpp caches everything
# (src/llama-model.cpp sets none for them).
_WINDOW_UNKNOWN = frozenset({"llama", "starcoder2"})


def _keeps_windows(shape: Shape, load: Load) -> bool:
    """Whether the engine gives up tokens that the window of a layer has left behind."""
    return is_paged(load.engine) or shape.architecture not in _WINDOW_UNKNOWN


def kinds(shape: Shape, first: int, end: int) -> tuple[int, int, int]:
    """How many of these layers see everything, have a window, are recurrent.

    Models mix them in a regular pattern, so each run of layers has its even part of each kind.
    """
    windowed = shape.window.layers if shape.window else 0
    recurrent = shape.recurrent.layers if shape.recurrent else 0
    full = max(shape.layers - windowed - recurrent, 0)

    def part(count: int) -> int:
        return count * end // shape.layers - count * first // shape.layers

    full_here = part(full)
    recurrent_here = min(max(part(full + recurrent) - full_here, 0), end - first - full_here)
    return full_here, end - first - full_here - recurrent_here, recurrent_here


def layer_elements(shape: Shape, tensor: int) -> int:
    """Elements of the cache for one token in one layer of attention on one tensor rank.

    Latent attention keeps one vector that all heads use, so every rank has all of it. KV heads are
    divided among the ranks, at least one each: with fewer heads than ranks they are copied.
    """
    if shape.latent is not None:
        return shape.latent.kv_rank + shape.latent.rope_dim
    heads = max(1, -(-shape.kv_heads // tensor))
    value = shape.head_dim if shape.value_dim is None else shape.value_dim
    return heads * (shape.head_dim + value)


def _grouped(full: int, windowed: int) -> tuple[int, int]:
    """vLLM gives out blocks to groups with equal numbers of layers and pads the last of them.

    It says so at start ("Add 3 padding layers, may waste at most 6.25% KV cache memory",
    vllm/v1/core/kv_cache_utils.py, group_and_unify_kv_cache_specs, 0.10 and later).
    """
    least, most = sorted((full, windowed))
    if not least:
        return full, windowed
    group = most if most * 4 < least * 5 else least
    return round_up(full, group), round_up(windowed, group)


def _window_tokens(window: int, load: Load) -> int:
    """A window is kept with the tokens of one step beside it, in whole blocks."""
    pad = _BLOCK if is_paged(load.engine) else _PAD
    return round_up(window + step_tokens(load), pad)


def _note(shape: Shape, load: Load, split: Split, full: int, windowed: int, states: int) -> str:
    value = shape.head_dim if shape.value_dim is None else shape.value_dim
    if shape.latent is not None:
        vector = f"({shape.latent.kv_rank} + {shape.latent.rope_dim})"
    elif value == shape.head_dim:
        vector = f"{max(1, -(-shape.kv_heads // split.tensor))} KV heads x {value} x 2"
    else:
        heads = max(1, -(-shape.kv_heads // split.tensor))
        vector = f"{heads} KV heads x ({shape.head_dim} + {value})"
    numerator, denominator = _TYPES[load.kv_type]
    text = f"{vector} x {numerator / denominator:g} B"
    pieces = [f"{full} layers x {text} a token"] if full else []
    if windowed:
        tokens = shape.window.tokens if shape.window else 0
        pieces.append(f"{windowed} layers x {text} for the last {tokens} tokens and one step")
    if states:
        pieces.append(f"{states} layers with a state")
    return ", ".join(pieces)


def round_up(number: int, step: int) -> int:
    return -(-number // step) * step if step > 0 else number

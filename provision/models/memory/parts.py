"""Parts: what an instance is to hold, and the memory that it needs for it, part by part."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..model import Model


@dataclass(frozen=True, slots=True)
class Load:
    """What one instance is to hold at the same time, as its engine is told."""

    engine: str  # ollama, vllm, llama-server, tabbyapi, sglang
    context: int  # tokens of one request
    parallel: int  # requests at a time (vllm: max_num_seqs)
    kv_type: str = "f16"  # f16 (bf16 counts the same), fp8, q8_0, q4_0
    batch_tokens: int | None = None  # of one step (max_num_batched_tokens, ubatch); None: default
    prompt_cache_mib: int | None = None  # llama-server's --cache-ram; None: its default
    eager: bool = False  # vllm: no CUDA graphs
    full_window: bool = False  # llama.cpp's --swa-full: sliding windows keep the whole context
    draft: Model | None = None  # speculative decoding
    flash_attention: bool = True  # llama.cpp: off makes the compute buffer grow with the context


@dataclass(frozen=True, slots=True)
class Part:
    """One summand in bytes. error: how far off it may be, in bytes, either way."""

    name: str  # weights, kv-cache, activations, cuda-context, cuda-graphs, draft, prompt-cache, ...
    bytes: int
    error: int = 0
    note: str = ""  # how it was reckoned: "80 layers x 8 KV heads x 128 x 2 x 2 B x 8192 tokens"


@dataclass(frozen=True, slots=True)
class GpuNeed:
    """What one GPU (rank) must hold.

    kv_windows: (tokens, bytes a token) of sliding windows. Up to so many tokens a request pays that
    much more for each; kv_bytes_per_request has the windows at their full size.
    """

    parts: tuple[Part, ...]
    kv_bytes_per_token: int = 0  # that every further token of context costs here
    kv_bytes_per_request: int = 0  # that every further request costs besides (windows, states)
    kv_windows: tuple[tuple[int, int], ...] = ()

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def error(self) -> int:
        return sum(part.error for part in self.parts)

    @property
    def spread(self) -> int:
        """Bytes that the sum may be off by: the parts are off independently of each other."""
        return math.isqrt(sum(part.error * part.error for part in self.parts))

    @property
    def fixed(self) -> int:
        """Without the KV cache."""
        return sum(part.bytes for part in self.parts if part.name != "kv-cache")


@dataclass(frozen=True, slots=True)
class Need:
    """gpus: in rank order, as Split numbers them. ram: what the host's own memory must hold.

    page_cache: file pages that loading goes through and that the kernel may drop again. Layers
    that stay in RAM are read from there, so they stand in `ram` as well.
    """

    gpus: tuple[GpuNeed, ...]
    ram: tuple[Part, ...] = ()
    page_cache: int = 0

    @property
    def ram_bytes(self) -> int:
        return sum(part.bytes for part in self.ram)

    @property
    def ram_bound(self) -> int:
        """With every error against us."""
        return sum(part.bytes + part.error for part in self.ram)

"""Room: how many tokens of context fit into the memory that is left for the KV cache."""

from __future__ import annotations

from collections.abc import Sequence

from .parts import GpuNeed, Need

UNBOUNDED = 1 << 62  # tokens of a model whose memory does not grow with them


def kv_tokens(need: Need, budget: Sequence[int], parallel: int) -> int:
    """Tokens of context that fit all together when each rank may use `budget` bytes in all.

    `parallel` requests share them, each with its own windows and states. The rank with the least
    room decides. 0: not even the states of so many requests fit. UNBOUNDED: nothing grows with
    the context (encoders). Raises ValueError when budget has not one number for each GPU.
    """
    if len(budget) != len(need.gpus):
        raise ValueError(f"{len(budget)} budgets for {len(need.gpus)} GPUs")
    fitting = (
        _rank_tokens(gpu, room - gpu.fixed, parallel)
        for gpu, room in zip(need.gpus, budget, strict=True)
    )
    return min(fitting, default=UNBOUNDED)


def _rank_tokens(gpu: GpuNeed, room: int, parallel: int) -> int:
    """Windows fill up first, the narrowest earliest; then only layers that see all grow on."""
    windows = sorted(gpu.kv_windows)
    states = gpu.kv_bytes_per_request - sum(tokens * price for tokens, price in windows)
    room -= parallel * states
    if room < 0:
        return 0
    price = gpu.kv_bytes_per_token + sum(price for _, price in windows)
    done = 0  # tokens of each request
    for tokens, own in windows:
        cost = parallel * (tokens - done) * price
        if cost > room:
            return parallel * done + room // price
        room -= cost
        done = tokens
        price -= own
    return parallel * done + room // price if price else UNBOUNDED

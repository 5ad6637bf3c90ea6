"""Kept: what each layer keeps of the tokens that it has seen, and how a Shape says that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..shape import Latent, Recurrent, Shape, Window
from .keys import UnclearError


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one layer. heads 0: no keys and values. state: bytes for a request whatever its length.

    window: tokens that the layer sees; None: all.
    """

    heads: int
    key: int
    value: int
    window: int | None = None
    state: int = 0
    mixer: int = 0  # weights of what stands in place of attention

    @property
    def elements(self) -> int:
        return self.heads * (self.key + self.value)


@dataclass(frozen=True, slots=True)
class Cache:
    """The fields of a Shape that come out of it."""

    kv_heads: int
    head_dim: int
    value_dim: int
    window: Window | None
    recurrent: Recurrent | None


def cache_of(layers: Sequence[Kept], step: int) -> Cache:
    """One set of KV heads for all layers, such that the sum over the layers is right.

    A Shape has one number of KV heads. Where layers differ (Nemotron's pruned Llamas, OpenELM) it
    is the mean rounded up, so the cache comes out a little too large, never too small. Layers that
    keep nothing count as recurrent ones without a state. Where layers with a window have other
    heads than the rest (Gemma 4, MiMo V2), the rest decides and the window is taken for so many
    more or fewer tokens. step: tokens of one step that an engine keeps beside a window.
    """
    attending = [one for one in layers if one.heads]
    full = [one for one in attending if one.window is None]
    windowed = [one for one in attending if one.window is not None]
    leading = full or windowed
    if leading:
        key, value = (max(one.key for one in leading), max(one.value for one in leading))
        elements = sum(one.elements for one in leading)
        heads = max(1, _ceil(elements, len(leading) * (key + value)))
    else:
        first = layers[0] if layers else None
        if first is None:
            raise UnclearError("it has no layers")
        key, value, heads = first.key, first.value, 1
    return Cache(
        heads, key, value, _window(windowed, heads * (key + value), step), _recurrent(layers)
    )


def with_latent(shape: Shape, latent: Latent | None) -> Shape:
    """Heads are full ones where attention is latent: the small vector stands in `latent` alone."""
    if latent is None:
        return shape
    key = latent.nope_dim + latent.rope_dim
    value = latent.value_dim if latent.value_dim != key else None
    return replace(shape, kv_heads=shape.heads, head_dim=key, value_dim=value, latent=latent)


def _window(windowed: Sequence[Kept], elements: int, step: int) -> Window | None:
    tokens = max((one.window or 0 for one in windowed), default=0)
    if not tokens:
        return None
    ours = sum(one.elements for one in windowed)
    scaled = _ceil((tokens + step) * ours, len(windowed) * elements) - step
    return Window(tokens if ours == elements * len(windowed) else max(1, scaled), len(windowed))


def _recurrent(layers: Sequence[Kept]) -> Recurrent | None:
    idle = [one for one in layers if not one.heads]
    if not idle:
        return None
    state = _ceil(sum(one.state for one in idle), len(idle))
    return Recurrent(len(idle), state, _ceil(sum(one.mixer for one in idle), len(idle)))


def _ceil(number: int, by: int) -> int:
    return -(-number // by)


def mean(values: Sequence[int]) -> int:
    """Rounded up; of no values 0."""
    return math.ceil(sum(values) / len(values)) if values else 0

"""Tensor: one weight tensor of a model, as a GGUF file lists it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tensor:
    """A weight tensor. name is GGUF's without `.weight` and layer: attn_v, ffn_down_exps.

    A bias keeps its ending (attn_q.bias). columns: the contiguous dimension that quantisation cuts
    into blocks (GGUF's ne[0], the input width). rows: all the rest multiplied, experts included.
    """

    name: str
    rows: int
    columns: int
    layer: int | None = None  # None: outside of the layers
    experts: int = 1  # routed experts within rows

    @property
    def elements(self) -> int:
        return self.rows * self.columns

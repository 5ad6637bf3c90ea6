"""Weights: how many bytes the tensors of a model take in one quantisation, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WeightFormat = Literal["gguf", "safetensors", "exl2", "exl3"]


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How weights are stored: GGUF Q4_K_M, safetensors BF16, AWQ, FP8, exl3 at 4.0 bits."""

    format: WeightFormat
    name: str  # Q4_K_M F16 MXFP4; BF16 FP8 AWQ GPTQ GPTQ-8 INT8 MXFP4 NVFP4 BNB-4; EXL2 EXL3
    bits: float | None = None  # a weight, where the name does not say it (exl2, exl3)
    group: int | None = None  # weights that share a scale, where it is not the usual number

    def __str__(self) -> str:
        return f"{self.name} {self.bits:g} bpw" if self.bits is not None else self.name


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of all tensors. total = embedding + output + sum(layers) + other."""

    quantisation: Quantisation
    total: int
    embedding: int  # the input table
    output: int  # the head; 0 where the input table serves
    layers: tuple[int, ...]  # of each layer
    experts: int  # of the routed experts, within the layers
    read_per_token: (
        int  # that a batch of one reads for a token: used experts only, the head in full
    )
    other: int = 0  # final norm, vision tower
    error: float = 0.0  # relative bound either way; 0: read from the files

"""Way: one legal (or impossible) way to run an instance on one group of GPUs, with its figures."""

from __future__ import annotations

from dataclasses import dataclass

from provision.host.facts import Gpu
from provision.models.memory.need import Load, Need
from provision.models.memory.split import Split

from ..cost.links import Joint
from ..cost.speed import Speed

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a way cannot be taken: a rule of the planner and a sentence with its numbers."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Way:
    """GPUs in rank order, what each of them must hold, and how fast that would be.

    room: MiB that the instance may take of each GPU; None where nobody knows its memory. claim:
    MiB that it will take. utilization: vLLM's share of the memory of each GPU. kv_tokens: tokens
    of context that fit in all.
    """

    split: Split
    gpus: tuple[Gpu, ...]
    joint: Joint
    load: Load
    need: Need | None = None
    room: tuple[int | None, ...] = ()
    claim: tuple[int, ...] = ()
    utilization: float | None = None
    kv_tokens: int | None = None
    speed: Speed | None = None
    share: float = 1.0
    problem: Problem | None = None

    @property
    def need_mib(self) -> tuple[int, ...]:
        return tuple(-(-one.bytes // MIB) for one in self.need.gpus) if self.need else ()

    @property
    def error_mib(self) -> tuple[int, ...]:
        return tuple(-(-one.spread // MIB) for one in self.need.gpus) if self.need else ()

    @property
    def tight(self) -> bool:
        """It fits, but not if the estimate is off by as much as it may be."""
        together = zip(self.need_mib, self.error_mib, self.room, strict=False)
        return any(room is not None and need + error > room for need, error, room in together)


def way_text(split: Split, word: str = "pipeline", gpus: int | None = None) -> str:
    """`one GPU`, `tensor 2 x pipeline 2`, `tensor 8, EP` (expert parallel), `layers 44 + 36`.

    word: the engine's for a pipeline.
    """
    if gpus == 0:
        return "on the CPU"
    parts = [f"tensor {split.tensor}"] if split.tensor > 1 else []
    if split.pipeline > 1:
        uneven = split.layers is not None and len(set(split.layers)) > 1
        over = f"over {split.pipeline}" if word == "layers" else str(split.pipeline)
        shown = " + ".join(map(str, split.layers or ())) if uneven else over
        parts.append(f"{word} {shown}")
    text = " x ".join(parts) or "one GPU"
    if split.experts:
        text += ", EP"
    if not split.offloaded:
        return text
    return f"{text}, {split.offloaded} layer{'s' if split.offloaded > 1 else ''} in RAM"

"""Stage: a run of layers on one tensor group, or in RAM: what a step must read and reckon there."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from provision.models.memory.need import Need
from provision.models.memory.split import Split
from provision.models.model import Model
from provision.models.shape import Experts

from .active import head_parameters, layer_parameters


@dataclass(frozen=True, slots=True)
class Stage:
    """Bytes and parameters are of the whole stage; each of its ranks has an equal part of them.

    always: weights that every step reads. routed: weights of all routed experts. kv_token and
    kv_request: bytes of KV cache on each rank, for a token and for a request besides. head:
    parameters of the output head (last stage), which does not work on prompts.
    """

    layers: int
    always: float
    routed: float
    parameters: float
    head: float
    ranks: int
    whole_experts: bool
    experts: Experts | None
    kv_token: tuple[float, ...] = ()
    kv_request: tuple[float, ...] = ()

    def weights(self, batch: float) -> float:
        """Bytes of weights that the busiest rank reads for one step of so many tokens."""
        return (self.always + self.routed * self._read(batch)) / self.ranks

    def kv(self, rank: int, batch: float, depth: float) -> float:
        """Bytes of KV cache that a rank reads for a step of `batch` requests of `depth` tokens."""
        return batch * (self.kv_token[rank] * depth + self.kv_request[rank])

    def _read(self, batch: float) -> float:
        """Share of the routed experts that a step of so many tokens reads on the busiest rank."""
        if self.experts is None:
            return 0.0
        count, used = self.experts.count, self.experts.used
        distinct = count * (1 - math.pow(1 - used / count, max(1.0, batch)))
        if not self.whole_experts or self.ranks == 1:
            return distinct / count
        # Experts whole on single ranks: chance gives one rank more of them than its even part.
        even = distinct / self.ranks
        most = even + math.sqrt(2 * even * math.log(self.ranks))
        return min(most * self.ranks / count, 1.0)


def stages_of(model: Model, split: Split, need: Need, on_gpus: bool) -> tuple[Stage | None, ...]:
    """What stays in RAM first (None: nothing does), then the stages of the GPUs in their order.

    Offloaded layers are the first ones, as llama.cpp does it; the output head is on the last GPU.
    """
    total = _layers(model)
    offloaded = min(split.offloaded, total) if on_gpus else total
    counts = split.stages(total) if on_gpus else ()
    ends = list(itertools.accumulate(counts, initial=offloaded))
    in_ram = _stage(model, 0, offloaded, 1, not on_gpus, split) if offloaded else None
    on_cards = [
        _with_kv(
            _stage(model, ends[number], end, split.tensor, number == len(counts) - 1, split),
            need,
            number,
        )
        for number, end in enumerate(ends[1:])
    ]
    return (in_ram, *on_cards)


def _layers(model: Model) -> int:
    return model.shape.layers if model.shape else max(1, len(model.weights.layers))


def _stage(model: Model, first: int, end: int, ranks: int, last: bool, split: Split) -> Stage:
    weights = model.weights
    shape = model.shape
    experts = shape.experts if shape else None
    share = _share(model, first, end)
    head = weights.output or weights.embedding
    used = experts.used / experts.count if experts else 0.0
    layers = max(0.0, weights.read_per_token - head - weights.experts * used)
    return Stage(
        layers=end - first,
        always=layers * share + (head if last else 0),
        routed=weights.experts * share,
        parameters=(layer_parameters(shape) if shape else weights.read_per_token / 2) * share,
        head=head_parameters(shape) if shape and last else 0.0,
        ranks=ranks,
        whole_experts=split.experts,
        experts=experts,
        kv_token=(0.0,) * ranks,
        kv_request=(0.0,) * ranks,
    )


def _share(model: Model, first: int, end: int) -> float:
    """Of all layers' bytes, those of a run of layers."""
    layers = model.weights.layers
    if not layers or not sum(layers):
        return (end - first) / _layers(model)
    return sum(layers[first:end]) / sum(layers)


def _with_kv(stage: Stage, need: Need, number: int) -> Stage:
    """KV bytes by rank as the memory model gives them; a rank without a need reads none."""
    first = number * stage.ranks
    gpus = need.gpus[first : first + stage.ranks]
    lacking = (0.0,) * (stage.ranks - len(gpus))
    return Stage(
        stage.layers,
        stage.always,
        stage.routed,
        stage.parameters,
        stage.head,
        stage.ranks,
        stage.whole_experts,
        stage.experts,
        (*(float(gpu.kv_bytes_per_token) for gpu in gpus), *lacking),
        (*(float(gpu.kv_bytes_per_request) for gpu in gpus), *lacking),
    )

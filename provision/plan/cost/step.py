"""The time of one step: a token for each request of a batch, or a piece of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provision.models.memory.need import Load
from provision.models.weights import Quantisation

from .cards import Card
from .ground import Ground
from .links import Joint
from .pace import Pace, in_fp8, reading_growth, reading_share
from .stage import Stage

_ACTIVATION = 2  # bytes of an element that goes between GPUs
_RAM_SHARE = 0.7  # of the rated bandwidth that llama.cpp's threads reach
_CPU_FLOPS = 0.5e12  # a server CPU with AVX2; a prompt on the CPU is bound by this
_TO_GPU = 12e9  # bytes a second of weights in RAM that are copied to a GPU to read a prompt there


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds. stages: of each stage on GPUs, with its all-reduces. exchange: all-reduces alone.

    ram: layers that stay in RAM. hops: between stages, all of them together.
    """

    stages: tuple[float, ...]
    exchange: float
    ram: float
    hops: float

    @property
    def once(self) -> float:
        """All of it one after another, as a single stream waits for it."""
        return sum(self.stages) + self.ram + self.hops

    @property
    def slowest(self) -> float:
        """What a full pipeline waits for: its slowest stage, with the hop to the next."""
        return max((*self.stages, self.ram)) + self.hops / max(1, len(self.stages))


def _seconds(joint: Joint, data: float) -> float:
    """Of so many bytes over a joint; a joint of kind none carries nothing."""
    return data / (joint.gbs * 1e9) if joint.gbs > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """An instance as the model of time sees it. hidden and vocab: widths in elements."""

    in_ram: Stage | None
    stages: tuple[Stage, ...]
    cards: tuple[Card, ...]  # by rank
    ground: Ground
    pace: Pace
    load: Load
    quantisation: Quantisation
    hidden: int
    vocab: int

    def decode(self, batch: float, depth: float) -> Step:
        """One token for each of `batch` requests that hold `depth` tokens on average."""
        stages = [self._decode_stage(number, batch, depth) for number in range(len(self.stages))]
        exchange = sum(self._exchange(stage, batch, True) for stage in self.stages)
        return Step(tuple(stages), exchange, self._ram_decode(batch), self._hops(batch))

    def read(self, tokens: float) -> Step:
        """A piece of a prompt of so many tokens."""
        stages = [self._read_stage(number, tokens) for number in range(len(self.stages))]
        exchange = sum(self._exchange(stage, tokens, False) for stage in self.stages)
        return Step(tuple(stages), exchange, self._ram_read(tokens), self._hops(tokens))

    def _decode_stage(self, number: int, batch: float, depth: float) -> float:
        stage = self.stages[number]
        longer = reading_growth(self.pace, self.quantisation, batch)
        operations = 2 * (stage.parameters + stage.head) * batch / stage.ranks
        slowest = 0.0
        for rank, card in enumerate(self._cards(number)):
            memory = longer * stage.weights(batch) / self._weight_rate(card)
            memory += stage.kv(rank, batch, depth) / self._bandwidth(card)
            slowest = max(slowest, memory, operations / self._flops(card, stage))
        return slowest + self._overhead(stage) + self._exchange(stage, batch, True)

    def _read_stage(self, number: int, tokens: float) -> float:
        stage = self.stages[number]
        operations = 2 * stage.parameters * tokens / stage.ranks
        slowest = max(
            max(
                operations / self._flops(card, stage),
                stage.weights(tokens) / self._weight_rate(card),
            )
            for card in self._cards(number)
        )
        return slowest + self._overhead(stage) + self._exchange(stage, tokens, False)

    def _cards(self, number: int) -> Sequence[Card]:
        ranks = self.stages[number].ranks
        return self.cards[number * ranks : (number + 1) * ranks]

    def _overhead(self, stage: Stage) -> float:
        return stage.layers * (self.pace.eager if self.load.eager else self.pace.layer)

    def _bandwidth(self, card: Card) -> float:
        return card.bandwidth_gbs * 1e9 * self.ground.share * self.pace.memory[card.memory]

    def _weight_rate(self, card: Card) -> float:
        share = reading_share(self.pace, card.memory, self.quantisation)
        return card.bandwidth_gbs * 1e9 * self.ground.share * share

    def _flops(self, card: Card, stage: Stage) -> float:
        tflops = card.tflops
        if in_fp8(self.quantisation) and card.fp8_tflops is not None:
            tflops = card.fp8_tflops
        reached = tflops * self.pace.arithmetic
        if self.pace.most_tflops is not None:
            reached = min(reached, self.pace.most_tflops)
        if stage.experts is not None:
            reached *= self.pace.mixture
        return reached * 1e12 * self.ground.share

    def _exchange(self, stage: Stage, tokens: float, generates: bool) -> float:
        """Two all-reduces a layer; the last stage also gathers the logits of generated tokens."""
        if stage.ranks < 2:
            return 0.0
        joint = self.ground.inner
        rest = (stage.ranks - 1) / stage.ranks
        rate = self.pace.exchange
        data = tokens * self.hidden * _ACTIVATION * 2 * rest
        each = joint.latency_us * 1e-6 + _seconds(joint, data) / rate
        gather = tokens * self.vocab * _ACTIVATION * rest if generates and stage.head else 0.0
        return 2 * stage.layers * each + _seconds(joint, gather) / rate

    def _hops(self, tokens: float) -> float:
        """Activations go from stage to stage; RAM before the first stage counts as one."""
        hops = max(0, len(self.stages) - 1) + (1 if self.in_ram and self.stages else 0)
        data = tokens * self.hidden * _ACTIVATION
        return hops * (self.pace.hop + _seconds(self.ground.outer, data))

    def _ram_decode(self, batch: float) -> float:
        if self.in_ram is None:
            return 0.0
        memory = self.in_ram.weights(batch) / (self.ground.ram_gbs * 1e9 * _RAM_SHARE)
        operations = 2 * (self.in_ram.parameters + self.in_ram.head) * batch
        return max(memory, operations / _CPU_FLOPS)

    def _ram_read(self, tokens: float) -> float:
        """Prompts: with a GPU beside, llama.cpp copies each layer there, once a piece."""
        if self.in_ram is None:
            return 0.0
        on_cpu = 2 * self.in_ram.parameters * tokens / _CPU_FLOPS
        if not self.cards:
            return on_cpu
        operations = 2 * self.in_ram.parameters * tokens / self._flops(self.cards[0], self.in_ram)
        return min(on_cpu, self.in_ram.weights(tokens) / _TO_GPU + operations)

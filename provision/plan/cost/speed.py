"""Speed: expected tokens a second of one instance on given GPUs, as a band.

The model, its constants and how it compares with published figures: docs/explanation/speed.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from provision.engines.ability import ABILITIES
from provision.models.memory.need import Load, Need
from provision.models.memory.split import Split
from provision.models.model import Model

from .cards import Card
from .ground import Ground
from .pace import pace_of
from .stage import stages_of
from .step import Step, Work

__all__ = ["Band", "Ground", "Speed", "estimate", "step_seconds"]

MOST_REQUESTS = 256  # a larger batch is not counted on, whatever the engine allows
_DEPTH = 2048  # tokens that a single stream or a request of a full batch is taken to hold
_PROMPT = 4096  # tokens of the prompt whose reading `prompt` is about
PROMPT_PARTS = 4.0  # tokens of prompt that come with each generated one in a full batch

_SPREAD = 0.25  # published measurements lie this far from the model, either way
_WIDE = 0.4  # where copies through the host, or RAM, decide; and for prompts
_MUCH = 0.3  # share of a step from which on they decide

# Parts of a batch that are in a pipeline at once are never of one length (one reads a prompt, the
# next generates), so stages wait: this much longer for each stage after the first. An assumption;
# github.com/NVIDIA/TensorRT-LLM/issues/1144 (4 x A100) saw even more with four stages.
_UNEVEN = 0.15

# A card that is not in the table; it serves to compare ways on the same cards.
_SOME_CARD = Card("unknown", 500.0, 50.0, "gddr")


@dataclass(frozen=True, slots=True)
class Band:
    """Tokens a second; an estimate, with the spread that published measurements show."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Speed:
    """single: one stream, after its prompt. full: generated tokens of all streams of a full batch
    together, when four tokens of prompt are read for each generated one (docs: "A full batch").
    batch: how many streams that is. prompt: tokens a second of reading one prompt of 4096 tokens.

    A model that gives vectors generates nothing: all three are its reading. assumed: the cards, or
    the model's shape, are not known, so the figures serve to compare ways on the same cards and
    must not be shown.
    """

    single: Band
    batch: int
    full: Band
    prompt: Band
    assumed: bool = False


def estimate(
    models: Sequence[Model],
    load: Load,
    split: Split,
    need: Need,
    ground: Ground,
    kv_tokens: int | None = None,
) -> Speed:
    """For the largest of the models. kv_tokens: what the KV cache holds in all, which limits the
    full batch together with load.parallel. A draft model is not counted on.

    ground.cards: one for each rank of `split`, or none for an instance on the CPU.
    """
    model = max(models, key=lambda one: one.weights.total)
    work = _work(model, load, split, need, ground)
    assumed = model.shape is None or None in ground.cards
    prompt = _prompt(work)
    reading = _band(prompt, _WIDE)
    if model.embeds:
        return Speed(reading, _batch(load, kv_tokens), reading, reading, assumed)
    step = work.decode(1, min(load.context / 2, _DEPTH))
    batch = _batch(load, kv_tokens)
    spread = _spread(step, ground)
    return Speed(
        _band(1 / step.once, spread),
        batch,
        _band(_full(work, batch, prompt), spread),
        reading,
        assumed,
    )


def step_seconds(
    models: Sequence[Model],
    load: Load,
    split: Split,
    need: Need,
    ground: Ground,
    batch: int,
    depth: int,
) -> float:
    """Of one step that gives each of `batch` streams one token, when each holds `depth` tokens."""
    model = max(models, key=lambda one: one.weights.total)
    return _work(model, load, split, need, ground).decode(batch, depth).once


def _work(model: Model, load: Load, split: Split, need: Need, ground: Ground) -> Work:
    in_ram, *stages = stages_of(model, split, need, bool(ground.cards))
    return Work(
        in_ram,
        tuple(stage for stage in stages if stage is not None),
        tuple(card or _SOME_CARD for card in ground.cards),
        ground,
        pace_of(load.engine),
        load,
        model.weights.quantisation,
        model.shape.hidden if model.shape else 0,
        model.shape.vocab if model.shape else 0,
    )


def _batch(load: Load, kv_tokens: int | None) -> int:
    """Streams at a time: what the engine is told, and what the KV cache holds of usual requests."""
    most = min(load.parallel, MOST_REQUESTS)
    if kv_tokens is not None:
        most = min(most, int(kv_tokens / max(1.0, _held(load))))
    return max(1, most)


def _held(load: Load) -> float:
    """Tokens that a request of a full batch holds on average."""
    return min(load.context, _DEPTH)


def _full(work: Work, batch: int, prompt: float) -> float:
    """Generated tokens a second, prompts read in between.

    Engines whose stages work on different batches cut the batch into as many parts as there are
    stages and let prompts flow through without a gap, where that is faster.
    """
    held = _held(work.load)
    each = work.decode(batch, held).once / batch
    if _overlaps(work.load.engine) and len(work.stages) > 1:
        parts = min(len(work.stages), batch)
        uneven = 1 + _UNEVEN * (len(work.stages) - 1)
        step = work.decode(batch / parts, held)
        each = min(each, max(step.once, parts * step.slowest) * uneven / batch)
        piece = _piece(work)
        prompt = max(prompt, piece / (work.read(piece).slowest * uneven))
    return 1 / (each + PROMPT_PARTS / prompt)


def _prompt(work: Work) -> float:
    """Tokens a second of one prompt, whose pieces follow each other through the stages."""
    tokens = min(work.load.context, _PROMPT)
    piece = min(_piece(work), tokens)
    pieces = math.ceil(tokens / piece)
    step = work.read(piece)
    return pieces * piece / (step.once + (pieces - 1) * step.slowest)


def _piece(work: Work) -> int:
    return max(1, work.load.batch_tokens or work.pace.piece)


def _overlaps(engine: str) -> bool:
    ability = ABILITIES.get(engine)
    return ability.batches if ability is not None else True


def _spread(step: Step, ground: Ground) -> float:
    through_host = step.exchange if ground.inner.p2p is False else 0.0
    return _WIDE if through_host + step.ram > _MUCH * step.once else _SPREAD


def _band(middle: float, spread: float) -> Band:
    return Band(middle * (1 - spread), middle * (1 + spread))

"""Need: the memory of one instance, part by part, on each of its GPUs and in the host's RAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from ..model import Model
from .kv import Cache, cache_of, is_paged
from .overhead import margin, overhead
from .parts import GpuNeed, Load, Need, Part
from .ram import checkpoints, processes, prompt_cache
from .ranks import Stage, layers_of, projector, ram_weights, rank_weights, stages_of
from .room import UNBOUNDED, kv_tokens
from .split import Split

__all__ = ["UNBOUNDED", "GpuNeed", "Load", "Need", "Part", "kv_tokens", "need", "need_on_cpu"]


def need(models: Sequence[Model], load: Load, split: Split) -> Need:
    """What an instance needs that holds all these models at the same time (Ollama: several).

    vllm and sglang: the KV cache counted is that of one request of full length, the least that
    lets them start; what the memory budget leaves becomes more of it. llama.cpp, Ollama and
    TabbyAPI: context x parallel, allocated at the start. Without GPUs (split.gpus == 1,
    offloaded == all) call `need_on_cpu`. Raises ValueError on a KV cache type that is not known
    and on a split that does not add up to the model's layers.
    """
    for model in models:
        _check(model, _own_split(model, split, models))
    gpus = []
    for number in range(split.pipeline):
        each = _gpu(models, load, split, number)
        gpus += [each] * split.tensor
    return Need(tuple(gpus), _ram(models, load, split), _page_cache(models, load))


def need_on_cpu(models: Sequence[Model], load: Load) -> Need:
    """The same without any GPU: everything in RAM."""
    parts = processes(models, load, Split())
    for model in models:
        own = _fitted(load, model)
        whole = Stage(0, layers_of(model), True, True)
        # A table that serves as the head as well is there once, so all engines hold the same.
        weights = model.weights
        parts.append(
            Part("weights", weights.total, round(weights.total * weights.error), model.name)
        )
        parts.append(_kv_part(model, own, Split(), whole))
        parts += [part for part in overhead(model, own, Split(), whole) if _in_ram(part)]
    parts += _draft_on_cpu(load)
    parts += _kept_copies(models, load)
    return Need((), tuple(parts), _page_cache(models, load))


def _own_split(model: Model, split: Split, models: Sequence[Model]) -> Split:
    """The split of one of several models, whose layers are as many as they are.

    llama.cpp takes one --tensor-split for all of them and gives each GPU its part of the layers.
    """
    layers = layers_of(model)
    if len(models) == 1 or not layers:
        return split
    offloaded = min(split.offloaded, layers)
    if split.layers is None or not any(split.layers):
        return replace(split, offloaded=offloaded)
    whole, kept, ends = sum(split.layers), layers - offloaded, [0]
    for count in accumulate(split.layers):
        ends.append(kept * count // whole)
    own = tuple(end - first for first, end in pairwise(ends))
    return replace(split, layers=own, offloaded=offloaded)


def _check(model: Model, split: Split) -> None:
    layers = layers_of(model)
    if not layers:
        return
    placed = sum(split.stages(layers)) + split.offloaded
    if placed != layers or min(split.stages(layers)) < 0 or not 0 <= split.offloaded <= layers:
        raise ValueError(f"{model.name} has {layers} layers, the split places {placed}")


def _gpu(models: Sequence[Model], load: Load, split: Split, number: int) -> GpuNeed:
    parts: list[Part] = []
    caches: list[Cache] = []
    for model in models:
        spread = _own_split(model, split, models)
        stage = stages_of(model, spread)[number]
        own = _fitted(load, model)
        parts.append(rank_weights(model, load.engine, spread, stage))
        vision = projector(model, load.engine, stage)
        parts += [vision] if vision is not None else []
        parts.append(_kv_part(model, own, spread, stage))
        parts += overhead(model, own, spread, stage)
        caches.append(_cache(model, own, spread, stage))
    if load.draft is not None:
        drafted, cache = _draft(load.draft, load, split, number)
        parts += drafted
        caches.append(cache)
    kept_free = margin(load)
    if kept_free is not None:
        parts.append(kept_free)
    return GpuNeed(
        parts=tuple(part for part in parts if part.bytes or part.error),
        kv_bytes_per_token=sum(cache.token for cache in caches),
        kv_bytes_per_request=sum(cache.per_request for cache in caches),
        kv_windows=tuple(
            sorted((cache.window, cache.window_token) for cache in caches if cache.window_token)
        ),
    )


def _fitted(load: Load, model: Model) -> Load:
    """Ollama cuts num_ctx to what the model was trained for (llm/server.go); others obey."""
    trained = model.context or (model.shape.context if model.shape else None)
    if load.engine != "ollama" or trained is None or load.context <= trained:
        return load
    return replace(load, context=trained)


def _cache(model: Model, load: Load, split: Split, stage: Stage) -> Cache:
    if model.shape is None:
        return Cache()
    return cache_of(model.shape, load, split, stage.first, stage.end)


def _kv_part(model: Model, load: Load, split: Split, stage: Stage) -> Part:
    if model.shape is None:
        layers = layers_of(model)
        here = (stage.end - stage.first, layers) if layers else (1, split.pipeline)
        size = -(-(model.kv_bytes or 0) * here[0] // (here[1] * split.tensor))
        return Part("kv-cache", size, 0, f"{model.name}: as host.yaml says")
    cache = _cache(model, load, split, stage)
    requests = 1 if is_paged(load.engine) else load.parallel
    size = requests * cache.request(load.context)
    if not size:
        return Part("kv-cache", 0)
    note = f"{cache.note}; {load.context} tokens x {requests}"
    return Part("kv-cache", size, size // 100, note)


def _draft(draft: Model, load: Load, split: Split, number: int) -> tuple[list[Part], Cache]:
    """A draft model beside the main one, over the same GPUs in the same way.

    vLLM runs it with the tensor size of the main model on the last stage; llama.cpp spreads its
    layers over all GPUs (--n-gpu-layers-draft all).
    """
    own = replace(load, draft=None)
    if is_paged(load.engine):
        if number != split.pipeline - 1:
            return [], Cache()
        number, spread = 0, Split(split.tensor)
    else:
        spread = Split(1, split.pipeline)
    if layers_of(draft) and layers_of(draft) < spread.pipeline:
        spread = Split(
            layers=_scattered(layers_of(draft), spread.pipeline), pipeline=split.pipeline
        )
    stage = stages_of(draft, spread)[number]
    weights = rank_weights(draft, load.engine, spread, stage)
    kept = [replace(weights, name="draft")]
    kept.append(_kv_part(draft, own, spread, stage))
    if not is_paged(load.engine):
        buffers = overhead(draft, own, spread, stage)
        kept += [replace(part, name="draft") for part in buffers if part.name == "activations"]
    return kept, _cache(draft, own, spread, stage)


def _scattered(layers: int, stages: int) -> tuple[int, ...]:
    return tuple(1 if stage < layers else 0 for stage in range(stages))


def _draft_on_cpu(load: Load) -> list[Part]:
    if load.draft is None:
        return []
    own = replace(load, draft=None)
    whole = Stage(0, layers_of(load.draft), True, True)
    weights = load.draft.weights
    error = round(weights.total * weights.error)
    return [
        Part("draft", weights.total, error, load.draft.name),
        _kv_part(load.draft, own, Split(), whole),
    ]


def _ram(models: Sequence[Model], load: Load, split: Split) -> tuple[Part, ...]:
    parts = processes(models, load, split)
    for model in models:
        own = _own_split(model, split, models)
        weights = ram_weights(model, load.engine, own)
        parts += [weights] if weights is not None else []
        if own.offloaded and not is_paged(load.engine):
            # llama.cpp keeps the cache of a layer where the layer is.
            stage = Stage(0, own.offloaded, True, False)
            parts.append(_kv_part(model, _fitted(load, model), own, stage))
    if load.draft is not None:
        table = ram_weights(load.draft, load.engine, Split())
        parts += [table] if table is not None else []
    parts += _kept_copies(models, load)
    return tuple(part for part in parts if part.bytes or part.error)


def _kept_copies(models: Sequence[Model], load: Load) -> list[Part]:
    parts = []
    cache = prompt_cache(load)
    for model in models:
        own = _fitted(load, model)
        whole = _cache(model, own, Split(), Stage(0, layers_of(model), True, True))
        parts += [part for part in (cache, checkpoints(whole, own)) if part is not None]
    return parts


def _in_ram(part: Part) -> bool:
    """Of what an engine takes on a GPU, only the working memory is there without one, too."""
    return part.name == "activations"


def _page_cache(models: Sequence[Model], load: Load) -> int:
    drafts = [load.draft] if load.draft else []
    return sum(model.weights.total for model in (*models, *drafts))

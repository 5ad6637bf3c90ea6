"""What would fit where a wish does not: a smaller context, another quantisation, more GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from provision.host.facts import Gpu
from provision.models.formats.weigh import UnknownQuantisationError, weigh
from provision.models.model import Model
from provision.models.weights import Quantisation

from ..ways.service import Service
from ..ways.way import Way
from ..ways.weighing import Ways
from ..wording import gib, gpu_name, listed

_SMALLER: dict[str, tuple[str, ...]] = {
    "gguf": ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"),
    "safetensors": ("FP8", "AWQ"),
}
_CONTEXTS = (131072, 65536, 32768, 16384, 8192, 4096, 2048)
_MOST = 4
_MIB = 1 << 20


def remedies(ways: Ways, free: Sequence[Gpu], sizes: Sequence[int]) -> list[str]:
    """Changes that would make it fit on these GPUs, each a few words to write into host.yaml."""
    found: list[str] = []
    for text, service in _changes(ways.service):
        if text.startswith("context") and any(one.startswith("context") for one in found):
            continue  # the largest that fits is enough
        if _works(Ways(service, ways.table, ways.layout), free, sizes) is not None:
            found.append(text)
    return [*_more_gpus(ways, free, sizes), *found][:_MOST]


def _works(ways: Ways, free: Sequence[Gpu], sizes: Sequence[int]) -> Way | None:
    """A way that works, on one of the likely groups of these sizes."""
    for size in sizes:
        for group in ways.layout.likely(free, size):
            way = ways.best(group)
            if way.problem is None:
                return way
    return None


def _changes(service: Service) -> Iterator[tuple[str, Service]]:
    """Changed services, the smallest change of what the owner gets first."""
    load = service.load
    for kv_type in service.ability.kv_types[1:2]:
        if load.kv_type == "f16":
            yield f"kv_cache: {kv_type}", replace(service, load=replace(load, kv_type=kv_type))
    yield from _smaller_loads(service)
    yield from _smaller_models(service)
    if service.ability.offload and not service.spec.cpu_offload:
        spec = service.spec.model_copy(update={"cpu_offload": True})
        yield "cpu_offload: true (slow)", replace(service, spec=spec)


def _smaller_loads(service: Service) -> Iterator[tuple[str, Service]]:
    load = service.load
    if service.spec.engine in ("ollama", "llama-server") and load.parallel > 1:
        half = load.parallel // 2
        yield f"parallel: {half}", replace(service, load=replace(load, parallel=half))
    for context in _CONTEXTS:
        if context < load.context:
            yield f"context: {context}", replace(service, load=replace(load, context=context))


def _smaller_models(service: Service) -> Iterator[tuple[str, Service]]:
    model = service.largest
    if model.shape is None:
        return
    stored = model.weights.quantisation
    for name in _SMALLER.get(stored.format, ()):
        smaller = _stored_as(model, Quantisation(stored.format, name))
        if smaller is not None and smaller.weights.total < 0.97 * model.weights.total:
            models = tuple(smaller if one is model else one for one in service.models)
            size = gib(smaller.weights.total // _MIB)
            yield f"{name} ({size} of weights)", replace(service, models=models)


def _stored_as(model: Model, quantisation: Quantisation) -> Model | None:
    assert model.shape is not None  # the caller looked
    try:
        return replace(model, weights=weigh(model.shape, quantisation))
    except UnknownQuantisationError:
        return None


def _more_gpus(ways: Ways, free: Sequence[Gpu], sizes: Sequence[int]) -> list[str]:
    """The next larger number of GPUs of this host that would hold it."""
    for size in range(max(sizes, default=0) + 1, len(free) + 1):
        if _works(ways, free, (size,)) is not None:
            return [f"gpus: {size}"]
    return []


def what_there_is(free: Sequence[Gpu], ways: Ways) -> str:
    """`this host has 4 x 23.5 GiB (RTX 3090), at most 2 of them joined by NVLink`."""
    if not free:
        return "this host has no GPU that could be used"
    kinds: dict[tuple[str, str], list[Gpu]] = {}
    for gpu in free:
        kinds.setdefault((gpu_name(gpu), gib(ways.table.total(gpu))), []).append(gpu)
    cards = [f"{len(cards)} x {size} ({name})" for (name, size), cards in kinds.items()]
    text = f"this host has {listed(cards)}"
    if len({gpu.vendor for gpu in free}) > 1:
        text += ", of different makers, which no engine uses together"
    linked = max((_linked(cards, ways) for cards in kinds.values()), default=1)
    if linked > 1:
        some = "all" if linked == len(free) else f"at most {linked}"
        text += f", {some} of them joined by NVLink"
    return text


def _linked(cards: Sequence[Gpu], ways: Ways) -> int:
    """The most of these cards that are all joined to each other."""
    for size in range(len(cards), 1, -1):
        for group in ways.layout.likely(cards, size):
            if ways.layout.crossings(ways.layout.positions(group))[1] == 0:
                return size
    return 1

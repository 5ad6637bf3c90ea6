"""Fit: what one machine can do with a model: which ways, how much memory, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from provision.engines.ability import ABILITIES
from provision.host.facts import Facts, ModelFound
from provision.models.identity.identify import identify
from provision.models.memory.need import need_on_cpu
from provision.models.model import Model
from provision.spec.model import InstanceSpec
from provision.spec.request import model_paths

from ..cost.speed import Speed
from ..ways.merit import merit_each
from ..ways.service import Service, load_of
from ..ways.way import MIB, Way
from ..why.remedies import remedies
from .answer import EngineWord, Fit, FitWay, FitWish, KvWord
from .search import Machine, Search

__all__ = [
    "EngineWord",
    "Fit",
    "FitWay",
    "FitWish",
    "KvWord",
    "files_of",
    "fit",
    "fit_best",
    "fit_model",
    "known_speed",
    "service_of",
]


def fit(reference: str, engine: EngineWord, facts: Facts, wish: FitWish | None = None) -> Fit:
    """How a model would run on the host of these facts, as if nothing of ours ran there.

    Raises UnknownModelError.
    """
    model = identify(reference, engine, files_of(reference, engine, facts))
    return fit_model(model, engine, Machine(facts), wish or FitWish())


def files_of(reference: str, engine: EngineWord, facts: Facts) -> ModelFound | None:
    """What inspection read of the model's own files, where it looked at them."""
    found = {one.path: one.model for one in facts.stable.paths}
    own = engine if engine == "ollama" or reference.startswith("/") else "vllm"
    places = model_paths(own, reference)
    return next((found[path] for path in places if found.get(path) is not None), None)


def fit_model(model: Model, engine: EngineWord, machine: Machine, wish: FitWish) -> Fit:
    """The same for a model that is known. Every way over every number of GPUs."""
    search = Search(service_of(model, engine, wish), machine)
    refused = _format_problem(search.service)
    if refused is not None:
        return _answer(search, (), refused, ())
    weighed = [way for size in range(1, len(machine.free) + 1) for way in search.all(size)]
    ordered = _ordered(search, weighed)
    shown = tuple(_shown(search, way) for way in ordered)
    problem, options = (None, ()) if ordered else _trouble(search, weighed)
    rest = search.in_ram()
    if rest is not None:
        shown = (*shown, _shown_in_ram(search, rest))
    return _answer(search, shown, problem, options)


def fit_best(model: Model, engine: EngineWord, machine: Machine, wish: FitWish) -> Fit:
    """The way that a plan would take, and no other; what would fit instead is not looked for."""
    search = Search(service_of(model, engine, wish), machine)
    refused = _format_problem(search.service)
    if refused is not None:
        return _answer(search, (), refused, ())
    chosen = search.chosen()
    if chosen is not None:
        return _answer(search, (_shown(search, chosen),), None, ())
    weighed = search.all(len(machine.free))
    rest = search.in_ram()
    ways = (_shown_in_ram(search, rest),) if rest is not None else ()
    return _answer(search, ways, _problem(search, weighed), ())


def service_of(model: Model, engine: EngineWord, wish: FitWish) -> Service:
    """The model as one instance of an engine that the planner knows."""
    ability = ABILITIES[engine]
    # The reader's model knows the engines that host.yaml takes; a fit asks about others too.
    spec = InstanceSpec.model_construct(
        engine=cast(Literal["ollama", "vllm", "llama-server"], engine),
        model=model.reference,
        context=wish.context,
        parallel=wish.parallel,
        kv_cache=wish.kv_cache,
    )
    load = load_of(spec, ability, (model,))
    return Service(model.name, spec, ability, (model,), load, wish.optimize)


def _answer(
    search: Search, ways: tuple[FitWay, ...], problem: str | None, options: tuple[str, ...]
) -> Fit:
    model = search.service.largest
    return Fit(
        version=Fit.VERSION,
        host=search.machine.name,
        reference=model.reference,
        model=model.name,
        quantisation=str(model.weights.quantisation),
        engine=search.service.spec.engine,
        weights_mib=model.weights.total // MIB,
        ways=ways,
        problem=problem,
        remedies=options,
        ram_mib=_on_cpu(search.service),
        embeds=model.embeds,
        note=model.note,
    )


def _format_problem(service: Service) -> str | None:
    stored = service.largest.weights.quantisation
    if stored.format in service.ability.formats:
        return None
    formats = " or ".join(sorted(service.ability.formats))
    return f"it is stored as {stored.format} ({stored}), {service.spec.engine} loads {formats}"


def _ordered(search: Search, weighed: Sequence[Way]) -> list[Way]:
    """One of each kind over each kind of cards: first what a plan would take, then by merit."""
    service, best = search.service, dict[tuple[str, tuple[str, ...]], Way]()
    for way in weighed:
        key = (search.word(way), tuple(sorted(gpu.name or "" for gpu in way.gpus)))
        if way.problem is None and (
            key not in best or merit_each(service, way) > merit_each(service, best[key])
        ):
            best[key] = way
    chosen = search.chosen()
    first = (chosen.split, {gpu.uuid for gpu in chosen.gpus}) if chosen else None

    def place(way: Way) -> tuple[bool, float, int]:
        taken = (way.split, {gpu.uuid for gpu in way.gpus}) == first
        return (not taken, -merit_each(service, way), len(way.gpus))

    return sorted(best.values(), key=place)


def _shown(search: Search, way: Way) -> FitWay:
    """Of the GPU that is the fullest, with the copies that the host has room for."""
    worst = max(range(len(way.gpus)), key=lambda at: way.need_mib[at] / max(1, way.room[at] or 1))
    speed = known_speed(way.speed)
    return FitWay(
        way=search.word(way),
        gpus=tuple(gpu.index for gpu in way.gpus),
        joint=way.joint.text,
        need_mib=way.need_mib[worst],
        room_mib=way.room[worst],
        context=way.load.context,
        copies=1 if way.split.offloaded else search.copies(way),
        single=(speed.single.low, speed.single.high) if speed else None,
        batch=speed.batch if speed else 0,
        full=(speed.full.low, speed.full.high) if speed else None,
        tight=way.tight,
        ram_mib=_ram_mib(way) if way.split.offloaded else None,
    )


def _shown_in_ram(search: Search, way: Way) -> FitWay:
    """A way with layers in RAM, or with all of it there."""
    if way.gpus:
        return _shown(search, way)
    ram, most = _ram_mib(way), search.machine.table.shared_mib
    return FitWay("on the CPU", (), "", ram, most, way.load.context, 1, ram_mib=ram)


def _ram_mib(way: Way) -> int:
    return way.need.ram_bytes // MIB if way.need is not None else 0


def known_speed(speed: Speed | None) -> Speed | None:
    """A speed that may be shown: of cards, and of a model, that are known."""
    return None if speed is None or speed.assumed else speed


def _trouble(search: Search, weighed: Sequence[Way]) -> tuple[str, tuple[str, ...]]:
    free = search.machine.free
    if not any(way.problem is not None and way.problem.rule == "memory" for way in weighed):
        return _problem(search, weighed), ()
    options = remedies(search.reckoned, free, range(1, len(free) + 1))
    return _problem(search, weighed), tuple(options)


def _problem(search: Search, weighed: Sequence[Way]) -> str:
    """Of the way that is nearest to working."""
    if not search.machine.free:
        return search.machine.table.missing or "no GPU is known on this host"
    short = [way for way in weighed if way.problem is not None and way.problem.rule == "memory"]
    nearest = min(short, key=_missing_mib, default=None) or next(
        (way for way in weighed if way.problem is not None), None
    )
    return nearest.problem.text if nearest and nearest.problem else "no way over these GPUs"


def _missing_mib(way: Way) -> int:
    return max(need - (room or 0) for need, room in zip(way.need_mib, way.room, strict=True))


def _on_cpu(service: Service) -> int | None:
    if not service.ability.offload:
        return None
    return need_on_cpu(service.models, service.load).ram_bytes // MIB

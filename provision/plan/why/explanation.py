"""Explanations: the whole reasoning for each group, put together after everything is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from provision.models.memory.need import Part
from provision.models.model import Model

from ..placement.place import Placement
from ..placement.wishes import Wish
from ..plan import Explanation, Figures, PartLine
from ..ways.service import Service
from ..ways.way import MIB, Way
from ..ways.weighing import Ways
from ..wording import gib, gpu_numbers, listed
from .candidates import candidates

_SOURCES = {
    "files": "read from its files on the host",
    "catalogue": "from the catalogue",
    "spec": "as host.yaml gives it",
}


def explanations(placement: Placement, ways: Mapping[str, Ways]) -> tuple[Explanation, ...]:
    """One for each group, in the order of the spec."""
    holders = {
        gpu.uuid: wish.name for wish in placement.wishes for gpu in placement.gpus[wish.name]
    }
    groups = list(dict.fromkeys(wish.group for wish in placement.wishes))
    return tuple(_explanation(group, placement, ways[group], holders) for group in groups)


def _explanation(
    group: str, placement: Placement, ways: Ways, holders: Mapping[str, str]
) -> Explanation:
    wishes = [wish for wish in placement.wishes if wish.group == group]
    chosen = placement.ways[wishes[0].name]
    return Explanation(
        group=group,
        instances=tuple(wish.name for wish in wishes),
        models=tuple(model_sentence(one) for one in ways.service.models),
        optimize=ways.service.optimize,
        parts=_fullest(chosen),
        ram=part_lines(chosen.need.ram) if chosen.need else (),
        candidates=candidates(_asked(wishes[0]), ways, chosen, holders),
        placing=tuple(_placing(group, placement, ways.service)),
    )


def _asked(wish: Wish) -> Wish:
    """As host.yaml asks: with replicas: auto the size of a copy was the plan's own choice."""
    return replace(wish, sizes=()) if wish.fill and not wish.named else wish


def model_sentence(model: Model) -> str:
    """`Llama-3.1-8B-Instruct, Q4_K_M, 4.6 GiB of weights, from the catalogue`."""
    weights = gib(model.weights.total // MIB)
    error = f" (±{model.weights.error:.1%})" if model.weights.error else ""
    known = _SOURCES[model.source]
    note = f"; {model.note}" if model.note else ""
    stored = f", {model.weights.quantisation}" if model.source != "spec" else ""
    return f"{model.name}{stored}, {weights} of weights{error}, {known}{note}"


def _fullest(way: Way) -> tuple[PartLine, ...]:
    if way.need is None or not way.need.gpus:
        return ()
    return part_lines(max(way.need.gpus, key=lambda one: one.bytes).parts)


def part_lines(parts: Sequence[Part]) -> tuple[PartLine, ...]:
    """Bytes as MiB."""
    return tuple(
        PartLine(part.name, round(part.bytes / MIB, 1), round(part.error / MIB, 1), part.note)
        for part in parts
    )


def _placing(group: str, placement: Placement, service: Service) -> list[str]:
    """How the GPUs were found beside all other instances."""
    mine = [wish for wish in placement.wishes if wish.group == group]
    others = [wish.name for wish in placement.wishes if wish.group != group]
    found: list[str] = []
    for wish in mine:
        cards = placement.gpus[wish.name]
        if not cards:
            continue
        if wish.name in placement.kept:
            found.append(f"{wish.name} stays on {gpu_numbers(cards)}, where it runs today")
        elif wish.name in placement.moved:
            found.append(f"{wish.name} moves to {gpu_numbers(cards)}")
    if others:
        shown = f"{listed(others[:6])}{' ...' if len(others) > 6 else ''}"
        found.append(f"placed together with {shown}")
    order = (
        "what runs stays, then the least loss by the estimate, then the fewest nodes, pairs "
        "without NVLink, PCIe hops and torn NVLinks"
    )
    proof = (
        "no placement is better"
        if placement.proven
        else ("the search ended before it could prove that no placement is better")
    )
    if any(placement.gpus[wish.name] for wish in mine):
        found.append(f"in this order: {order}; {proof}")
    if service.context_open and placement.ways[mine[0].name].load.context:
        context = placement.ways[mine[0].name].load.context
        found.append(f"context {context} is the largest that fits; host.yaml names none")
    return found


def figures_of(way: Way, embeds: bool = False) -> Figures:
    """The figures of an instance for the plan. embeds: it gives vectors, no tokens a second."""
    speed = way.speed
    return Figures(
        need_mib=way.need_mib,
        error_mib=way.error_mib,
        room_mib=tuple(room or 0 for room in way.room),
        ram_mib=way.need.ram_bytes // MIB if way.need else 0,
        context=way.load.context or None,
        kv_tokens=way.kv_tokens,
        speed=None if speed is None or speed.assumed or embeds else speed,
    )

"""Candidates: every way that was weighed for a group, with the rule by which it lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from provision.host.facts import Gpu

from ..machine.gpus import GpuTable
from ..machine.layout import Signature
from ..placement.wishes import Wish, fits
from ..plan import Candidate
from ..ways.merit import merit, merit_each, noun
from ..ways.way import Way, way_text
from ..ways.weighing import Ways
from ..wording import counted, listed

Verdict = Literal["chosen", "lost", "impossible"]

_MOST_GPUS = 8  # beyond that a group is weighed only when host.yaml asks for it
_MOST = 24
_LEVEL_TO = 1.12  # a difference that the estimate can tell


def candidates(
    wish: Wish, ways: Ways, chosen: Way, holders: Mapping[str, str]
) -> tuple[Candidate, ...]:
    """The chosen way first, then the others from the best down, the impossible ones last.

    holders: UUID -> the instance that has it in this plan.
    """
    best: dict[tuple[object, ...], Way] = {}
    for way in (chosen, *_weighed(wish, ways, chosen)):
        key = (
            _word(ways, way),
            len(way.gpus),
            tuple(sorted(str(gpu.name) for gpu in way.gpus)),
            way.joint.kind if way.problem is None else way.problem.rule,
        )
        if key not in best or (best[key] is not chosen and _better(ways, way, best[key])):
            best[key] = way
    ordered = sorted(
        (way for way in best.values() if way is not chosen),
        key=lambda way: (way.problem is not None, -merit_each(ways.service, way), len(way.gpus)),
    )
    found = [_candidate(way, wish, ways, chosen, holders) for way in (chosen, *ordered)]
    return tuple(found[:_MOST])


def _weighed(wish: Wish, ways: Ways, chosen: Way) -> list[Way]:
    if not chosen.gpus:
        return []
    free = [gpu for gpu in ways.table.usable() if fits(wish, gpu)]
    most = max(min(_MOST_GPUS, len(free)), len(chosen.gpus))
    seen: set[Signature] = set()
    found: list[Way] = []
    for size in range(1, most + 1):
        for group in (*ways.layout.likely(free, size), *_pairs(free, size, ways.table)):
            signature = ways.layout.signature(ways.layout.positions(group))
            if signature not in seen:
                seen.add(signature)
                found += ways.all(group)
    return found


def _pairs(free: Sequence[Gpu], size: int, table: GpuTable) -> list[tuple[Gpu, ...]]:
    """Each kind of pair once: neighbours and strangers, since two cards are the usual question."""
    if size != 2 or len(free) > 8:
        return []
    return [
        (a, b) for at, a in enumerate(free) for b in free[at + 1 :] if table.link(a, b) is not None
    ]


def _better(ways: Ways, one: Way, other: Way) -> bool:
    return merit(ways.service, one) > merit(ways.service, other)


def _candidate(
    way: Way, wish: Wish, ways: Ways, chosen: Way, holders: Mapping[str, str]
) -> Candidate:
    verdict, rule, why = _verdict(way, wish, ways, chosen, holders)
    return Candidate(
        way=_word(ways, way),
        gpus=tuple(gpu.index for gpu in way.gpus),
        uuids=tuple(gpu.uuid for gpu in way.gpus),
        joint=way.joint.text,
        need_mib=way.need_mib,
        room_mib=tuple(room or 0 for room in way.room),
        verdict=verdict,
        rule=rule,
        why=why,
        context=way.load.context or None,
        kv_tokens=way.kv_tokens,
        speed=None if ways.service.largest.embeds else way.speed,
    )


def _word(ways: Ways, way: Way) -> str:
    return way_text(way.split, ways.service.ability.pipeline_word, len(way.gpus))


def _verdict(
    way: Way, wish: Wish, ways: Ways, chosen: Way, holders: Mapping[str, str]
) -> tuple[Verdict, str, str]:
    """chosen, lost or impossible; the rule; a sentence with its numbers."""
    if way is chosen:
        return "chosen", "best", _chosen_text(wish, ways, chosen)
    if way.problem is not None:
        return "impossible", way.problem.rule, way.problem.text
    if wish.named:
        return "lost", "named", "host.yaml names the GPUs"
    if wish.sizes and len(way.gpus) not in wish.sizes:
        asked = listed(map(str, wish.sizes[:4]), "or")
        return "lost", "asked", f"host.yaml asks for {asked} GPU{'s' if asked != '1' else ''}"
    if not wish.sizes and len(chosen.gpus) == 1 < len(way.gpus) and not chosen.split.offloaded:
        return "lost", "not-split", _not_split(ways, way, chosen)
    if len(way.gpus) > len(chosen.gpus):
        return "lost", "more-gpus", _more_text(ways, way, chosen)
    ours, theirs = _judged(wish, ways, chosen), _judged(wish, ways, way)
    if theirs > ours * _LEVEL_TO:
        return "lost", "taken", _taken_text(way, chosen, holders)
    return "lost", "slower", _slower_text(wish, ways, way, chosen)


def _judged(wish: Wish, ways: Ways, way: Way) -> float:
    judge = merit if len(wish.sizes) == 1 or way.split.offloaded else merit_each
    return judge(ways.service, way)


def _chosen_text(wish: Wish, ways: Ways, chosen: Way) -> str:
    if not chosen.gpus:
        return "gpus is 0: it runs on the CPU"
    if wish.named:
        return "host.yaml names these GPUs; the best split of them"
    if wish.sizes:
        return f"the best of the ways over {counted(len(chosen.gpus), 'GPU')}"
    if chosen.split.offloaded:
        return "no GPUs here hold all of it, and cpu_offload allows layers in RAM"
    if len(chosen.gpus) == 1:
        return "it holds the model, which is then not split"
    return f"no fewer GPUs hold it as well for {ways.service.optimize}"


def _not_split(ways: Ways, way: Way, chosen: Way) -> str:
    text = "a model that fits one card is not split"
    ours, theirs = merit(ways.service, chosen), merit(ways.service, way)
    if way.speed is None or way.speed.assumed or ours <= 0:
        return text
    return f"{text}: {theirs / ours - 1:+.0%} {noun(ways.service)} with {len(way.gpus)} GPUs"


def _taken_text(way: Way, chosen: Way, holders: Mapping[str, str]) -> str:
    mine = {gpu.uuid for gpu in chosen.gpus}
    held = sorted(
        {holders[gpu.uuid] for gpu in way.gpus if gpu.uuid in holders and gpu.uuid not in mine}
    )
    if held:
        return f"better alone, but its GPUs go to {listed(held)}; all together cost least so"
    return "better alone, but it would move what runs or take more from other instances"


def _more_text(ways: Ways, way: Way, chosen: Way) -> str:
    ours, theirs = merit(ways.service, chosen), merit(ways.service, way)
    times = f"{len(way.gpus) / len(chosen.gpus):.2g} x the GPUs"
    if ours <= 0 or theirs <= 0:
        return f"{times}, and fewer are enough"
    gain = f"{theirs / ours:.2f} x the {noun(ways.service)} for {times}"
    return f"{gain}: fewer are enough (gpus: {len(way.gpus)} asks for it)"


def _slower_text(wish: Wish, ways: Ways, way: Way, chosen: Way) -> str:
    ours, theirs = _judged(wish, ways, chosen), _judged(wish, ways, way)
    if ours <= 0 or theirs > ours * 0.995:
        return "equal by the estimate: the plainer split, nearer cards, then PCI order decide"
    each = " for each GPU" if not wish.sizes and len(way.gpus) != len(chosen.gpus) else ""
    return f"{1 - theirs / ours:.0%} less {noun(ways.service)}{each}"

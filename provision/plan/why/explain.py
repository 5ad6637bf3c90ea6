"""Reasons: one or two sentences with numbers for every decision about an instance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from provision.engines.launch import Launch
from provision.host.facts import Facts, Gpu
from provision.models.memory.split import Split

from ..machine.gpus import GpuTable, nvlinks
from ..machine.programs import Program
from ..machine.slices import is_slice
from ..placement.place import Placement
from ..placement.wishes import Wish
from ..plan import Reason
from ..seats.pins import Seated
from ..seats.ports import Ports
from ..ways.merit import merit, noun
from ..ways.splits import kv_repeats
from ..ways.way import MIB, Way, way_text
from ..ways.weighing import Ways
from ..wording import counted, gib, gpu_line, gpu_numbers, listed, nodes_text

_PATH_WORDS = {
    "PIX": "behind one PCIe switch",
    "PXB": "joined by several PCIe switches",
    "PHB": "behind one PCIe root",
    "NODE": "on different PCIe roots of one node",
    "SYS": "joined across PCIe roots or sockets (SYS)",
}


def explain_gpus(wish: Wish, placement: Placement, table: GpuTable) -> Reason:
    """Why these GPUs."""
    cards = placement.gpus[wish.name]
    if not cards:
        return Reason(wish.name, "on the CPU alone: gpus is 0")
    if wish.name in placement.kept:
        text = f"stays on {gpu_numbers(cards)}, where it runs today ({_joined(cards, table)})"
        return Reason(wish.name, text)
    text = f"{_shown(cards)}: {_why(wish, cards, placement, table)}"
    if wish.name in placement.moved:
        text += f"; it moves from {_before(wish, placement, table)}"
    return Reason(wish.name, text)


def explain_copies(wish: Wish, placement: Placement) -> Reason:
    """All further copies of a group in one sentence."""
    rest = [one for one in placement.wishes if one.group == wish.group and one.number > 0]
    cards = [gpu for one in rest for gpu in placement.gpus[one.name]]
    kept = sum(1 for one in rest if one.name in placement.kept)
    on = f" on {gpu_numbers(cards)}" if cards else ""
    stay = f", {kept} of them where they run today" if kept else ""
    text = f"{rest[0].name} to {rest[-1].name} are like {wish.group}.0{on}{stay}"
    return Reason(wish.group, text)


def _before(wish: Wish, placement: Placement, table: GpuTable) -> str:
    before = [table.named(uuid) for uuid in placement.moved[wish.name]]
    known = [gpu for gpu in before if gpu is not None]
    return gpu_numbers(known) if known else "cards that are gone"


def explain_moved(placement: Placement, table: GpuTable) -> dict[str, str]:
    """Instance -> from where to where."""
    return {
        wish.name: f"{_before(wish, placement, table)} to "
        f"{gpu_numbers(placement.gpus[wish.name]) if placement.gpus[wish.name] else 'the CPU'}"
        for wish in placement.wishes
        if wish.name in placement.moved
    }


def _shown(cards: Sequence[Gpu]) -> str:
    if len(cards) == 1:
        return gpu_line(cards[0])
    sizes = sorted({gib(gpu.memory_mib) for gpu in cards})
    if len(sizes) > 1:
        return f"{gpu_numbers(cards)} ({' + '.join(gib(gpu.memory_mib) for gpu in cards)})"
    return f"{gpu_numbers(cards)} ({len(cards)} x {sizes[0]})"


def _why(wish: Wish, cards: Sequence[Gpu], placement: Placement, table: GpuTable) -> str:
    if wish.named:
        why = "named in host.yaml"
    elif wish.selector is not None:
        parts = [
            f'model "{wish.selector.model}"' if wish.selector.model is not None else "",
            f"node {wish.selector.node}" if wish.selector.node is not None else "",
        ]
        why = f"matches {listed(part for part in parts if part) or 'any GPU'}"
    elif placement.ways[wish.name].split.offloaded:
        why = "what there is; it does not hold all of the model"
    elif len(cards) == 1:
        return _why_one(wish, cards[0], placement)
    else:
        every = len(table.usable())
        why = f"the nearest {len(cards)} of {every}"
        if len(cards) == every:
            why = f"all {every} of this host"
    return f"{why}, {_joined(cards, table)}"


def _why_one(wish: Wish, card: Gpu, placement: Placement) -> str:
    copies = sum(1 for one in placement.wishes if one.group == wish.group)
    near = f"next to {nodes_text([card.numa_node])}" if card.numa_node is not None else ""
    text = "it holds the model, and a model that fits one card is not split"
    if copies > 1:
        text = f"one of {copies} copies, each on a card of its own"
    if is_slice(card):
        text = "a MIG slice that holds the model"
    return f"{text}, {near}" if near else text


def _joined(cards: Sequence[Gpu], table: GpuTable) -> str:
    """How the cards of a group are joined: `on node 0, joined by 4 NVLinks`."""
    known = [gpu.numa_node for gpu in cards if gpu.numa_node is not None]
    where = [f"next to {nodes_text(known)}"] if known else []
    return ", ".join([*where, *_joint(cards, table)]) or "the host does not say at which node"


def _joint(cards: Sequence[Gpu], table: GpuTable) -> list[str]:
    pairs = list(itertools.combinations(cards, 2))
    if not pairs:
        return []
    joints = [nvlinks(table, a, b) for a, b in pairs]
    if min(joints):
        each = counted(min(joints), "XGMI link" if cards[0].vendor == "amd" else "NVLink")
        return [f"joined by {each}{' each pair' if len(pairs) > 1 else ''}"]
    links = [table.link(a, b) for a, b in pairs]
    known = [_PATH_WORDS[link.path] for link in links if link is not None and link.path]
    worst = max(known, key=list(_PATH_WORDS.values()).index) if known else "joined in unknown ways"
    some = sum(1 for joint in joints if joint)
    mixed = f"{some} of {len(pairs)} pairs joined by NVLink, the rest " if some else ""
    return [f"{mixed}{worst}"]


def explain_memory(launch: Launch, way: Way, ways: Ways) -> Reason | None:
    """What it takes of the fullest GPU, and what is left."""
    if way.need is None or not way.gpus:
        return None
    worst = max(range(len(way.gpus)), key=lambda at: way.need_mib[at])
    needed, room = way.need_mib[worst], way.room[worst]
    each = "on each GPU at most" if len(way.gpus) > 1 else "in all"
    weights = gib(ways.service.largest.weights.total // MIB)
    if len(ways.service.models) > 1:
        weights = gib(sum(one.weights.total for one in ways.service.models) // MIB)
    text = f"{weights} of weights; {gib(needed)} {each} with context {way.load.context}"
    if room is not None:
        text += f" of {gib(room)}"
    if way.utilization is not None and launch.memory_utilization not in (None, 0.9):
        text += f" (memory_utilization {way.utilization:g})"
    if way.utilization is not None and way.kv_tokens:
        requests = way.kv_tokens / max(1, way.load.context)
        text += (
            f"; the KV cache holds {way.kv_tokens:,} tokens, {requests:.1f} requests of full length"
        )
    if way.split.offloaded:
        text += f"; layers that stay in RAM, which makes it slow: {way.split.offloaded}"
    return Reason(launch.group, text)


def explain_split(launch: Launch, way: Way, ways: Ways, given: bool) -> Reason | None:
    """Why the model is split so; None for one GPU. given: the sizes stand in host.yaml."""
    if len(launch.gpus) < 2:
        return None
    count = len(launch.gpus)
    if launch.engine != "vllm":
        how = "Ollama spreads" if launch.engine == "ollama" else "llama-server divides"
        shares = f" ({' + '.join(map(str, way.split.layers))})" if way.split.layers else ""
        text = f"{how} the layers{shares} over {count} GPUs, which work one after the other"
        return Reason(launch.name, text)
    sizes = way_text(way.split)
    if given:
        return Reason(launch.name, f"{sizes} on {count} GPUs, as host.yaml says")
    every = "both" if count == 2 else f"all {count}"
    if way.split.pipeline == 1:
        other = _against(ways.way(way.gpus, Split(1, count)), way, ways)
        return Reason(
            launch.name,
            f"{sizes}: {every} GPUs work on every token, {way.joint.text}{other}"
            f"{_repeated(way, ways)}",
        )
    return Reason(launch.name, f"{sizes}{_against(ways.way(way.gpus, Split(count)), way, ways)}")


def _repeated(way: Way, ways: Ways) -> str:
    times = kv_repeats(ways.service, way.split)
    return f"; each KV head is held by {times} GPUs" if times > 1 else ""


def _against(other: Way, way: Way, ways: Ways) -> str:
    """`; pipeline 2: 32% less speed of one stream`, or why the other way cannot be."""
    word = way_text(other.split)
    if other.problem is not None:
        return f"; {word}: {other.problem.text}"
    ours, theirs = merit(ways.service, way), merit(ways.service, other)
    if ours <= 0 or theirs > ours * 0.995:
        return f"; {word} is no better by the estimate"
    where = "" if other.joint.text == way.joint.text else f", {other.joint.text},"
    return f"; {word}{where} has {1 - theirs / ours:.0%} less {noun(ways.service)}"


def explain_start(
    launch: Launch, ports: Ports, seated: Seated, context_given: bool
) -> list[Reason]:
    """Node, cores, port and context."""
    found = [Reason(launch.name, seated.reason)]
    if ports.reason is not None:
        found.append(Reason(launch.name, ports.reason))
    if context_given or launch.context is None:
        return found
    text = f"context is {launch.context} tokens, since host.yaml names none"
    if launch.engine == "ollama":
        text += " and Ollama's own default goes with the VRAM, up to 262144"
    elif launch.engine == "vllm":
        text += ": the largest that surely fits, up to the model's own"
    found.append(Reason(launch.group, text))
    return found


def explain_program(group: str, program: Program) -> Reason | None:
    """Which of several programs was taken."""
    if not program.others:
        return None
    text = f"{program.path} was found first; also there: {listed(program.others)}"
    return Reason(group, f"{text} (binary or venv chooses)")


def explain_kept(placement: Placement, facts: Facts) -> dict[str, str]:
    """Instance -> why it stays where it is."""
    placed = {one.instance: one for one in facts.volatile.placed}
    found: dict[str, str] = {}
    for wish in placement.wishes:
        cards = placement.gpus[wish.name]
        if wish.name in placement.kept and wish.name in placed:
            found[wish.name] = f"runs on {gpu_numbers(cards)} today; nothing is moved without need"
    return found

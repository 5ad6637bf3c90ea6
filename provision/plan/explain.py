"""Reasons: one or two sentences with numbers for every decision about an instance."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from provision.engines.launch import Launch
from provision.engines.ollama import DEFAULT_CONTEXT
from provision.host.facts import Facts, Gpu

from .gpus import GpuTable, alike, nvlinks
from .pins import Seated
from .placement import Placement
from .plan import Reason
from .ports import Ports
from .programs import Program
from .wishes import Wish
from .wording import counted, gib, gpu_line, gpu_numbers, listed, nodes_text

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
        before = [table.named(uuid) for uuid in placement.moved[wish.name]]
        known = [gpu for gpu in before if gpu is not None]
        was = gpu_numbers(known) if known else "cards that are gone"
        text += f"; it moves, since {was} cannot be kept"
    return Reason(wish.name, text)


def _shown(cards: Sequence[Gpu]) -> str:
    if len(cards) == 1:
        return gpu_line(cards[0])
    sizes = sorted({gib(gpu.memory_mib) for gpu in cards})
    return f"{gpu_numbers(cards)} ({len(cards)} x {listed(sizes)})"


def _why(wish: Wish, cards: Sequence[Gpu], placement: Placement, table: GpuTable) -> str:
    if wish.named:
        why = "named in host.yaml"
    elif wish.selector is not None:
        parts = [
            f'model "{wish.selector.model}"' if wish.selector.model is not None else "",
            f"node {wish.selector.node}" if wish.selector.node is not None else "",
        ]
        why = f"matches {listed(part for part in parts if part) or 'any GPU'}"
    elif wish.size == 1:
        return _why_one(wish, cards[0], placement, table)
    else:
        every = len(table.usable())
        why = f"the nearest {wish.size} of {every}"
        if wish.size == every:
            why = f"all {every} of this host"
    return f"{why}, {_joined(cards, table)}"


def _why_one(wish: Wish, card: Gpu, placement: Placement, table: GpuTable) -> str:
    copies = sum(1 for one in placement.wishes if one.group == wish.group)
    free = [gpu for gpu in table.usable() if not alike((gpu, card))]
    near = f"next to {nodes_text([card.numa_node])}" if card.numa_node is not None else ""
    if copies > 1:
        text = f"one of {copies} copies, each on a card of its own"
        return f"{text}; this one is {near}" if near else text
    larger = bool(free) and all((g.memory_mib or 0) <= (card.memory_mib or 0) for g in free)
    text = "the largest free card" if larger else "the first free card in PCI order"
    return f"{text}, {near}" if near else text


def _joined(cards: Sequence[Gpu], table: GpuTable) -> str:
    """How the cards of a group are joined: `on node 0, joined by 4 NVLinks`."""
    where = f"next to {nodes_text(gpu.numa_node for gpu in cards)}"
    pairs = list(itertools.combinations(cards, 2))
    if not pairs:
        return where
    joints = [nvlinks(table, a, b) for a, b in pairs]
    if min(joints):
        each = counted(min(joints), "NVLink")
        return f"{where}, joined by {each}{' each pair' if len(pairs) > 1 else ''}"
    links = [table.link(a, b) for a, b in pairs]
    known = [_PATH_WORDS[link.path] for link in links if link is not None and link.path]
    worst = max(known, key=list(_PATH_WORDS.values()).index) if known else "joined in unknown ways"
    some = sum(1 for joint in joints if joint)
    mixed = f"{some} of {len(pairs)} pairs joined by NVLink, the rest " if some else ""
    return f"{where}, {mixed}{worst}"


def explain_split(launch: Launch, given: bool) -> Reason | None:
    """Why the model is split so; None for one GPU. given: the sizes stand in host.yaml."""
    if len(launch.gpus) < 2:
        return None
    count = len(launch.gpus)
    if launch.engine != "vllm":
        how = "Ollama spreads" if launch.engine == "ollama" else "llama-server divides"
        text = f"{how} the layers over {count} GPUs, which work one after the other"
        return Reason(launch.name, text)
    tensor, pipeline = launch.tensor_parallel_size, launch.pipeline_parallel_size
    sizes = f"tensor {tensor}" + (f" x pipeline {pipeline}" if pipeline > 1 else "")
    if given:
        return Reason(launch.name, f"{sizes} on {count} GPUs, as host.yaml says")
    every = "both" if count == 2 else f"all {count}"
    text = f"{sizes}: {every} GPUs work on every token; a pipeline would use one after another"
    return Reason(launch.name, text)


def explain_start(
    launch: Launch, ports: Ports, seated: Seated, context_given: bool
) -> list[Reason]:
    """Node, cores, port and context."""
    found = [Reason(launch.name, seated.reason)]
    if ports.reason is not None:
        found.append(Reason(launch.name, ports.reason))
    if launch.engine == "ollama" and not context_given:
        text = (
            f"context is {DEFAULT_CONTEXT} tokens, since host.yaml names none and Ollama's own "
            "default goes with the VRAM, up to 262144"
        )
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

"""How hard an instance's memory is held to its node: preferred, or bound where that is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from provision.engines.launch import Pin
from provision.host.facts import Gpu

from ..machine.nodes import Nodes
from ..wording import gib, nodes_text

_SHARE = 0.5  # of a node's memory, divided among the GPUs next to it


def proven_mib(
    gpus: Sequence[Gpu], numbers: tuple[int, ...], every: Sequence[Gpu], nodes: Nodes
) -> int | None:
    """MiB of its node that an instance on these GPUs may count on, whoever else runs there.

    Half of the node's memory belongs to the GPUs next to it, in equal parts, used or idle; the
    other half to the system, the page cache and instances on the CPU. So an instance that comes or
    goes changes nothing for its neighbours. None: more than one node, or no GPU there.
    """
    node = nodes.get(numbers[0]) if len(numbers) == 1 else None
    if node is None or node.memory_mib is None:
        return None
    mine = sum(1 for gpu in gpus if nodes.next_to(gpu) == node.id)
    there = sum(1 for gpu in every if nodes.next_to(gpu) == node.id)
    if not mine or not there:
        return None
    return int(_SHARE * node.memory_mib * min(1.0, mine / there))


def memory_policy(
    numbers: tuple[int, ...], asked: bool, proven: bool, nodes: Nodes
) -> Literal["preferred", "bind"] | None:
    """bind where host.yaml asks for it, or where the need is proven to fit.

    A bound that is too tight meets the OOM killer while other nodes are free. preferred takes
    exactly one node, and one that has memory.
    """
    if asked:
        return "bind"
    node = nodes.get(numbers[0])
    if len(numbers) > 1 or node is None or node.memory_mib == 0:
        return None
    return "bind" if proven else "preferred"


def memory_text(pin: Pin, need_mib: int | None, share_mib: int | None) -> str:
    """The policy in words, with the proof where there is one."""
    if pin.memory == "bind":
        text = f"memory bound to {nodes_text(pin.nodes)}"
        if need_mib is None or share_mib is None or need_mib > share_mib:
            return text
        return f"{text} (needs {gib(need_mib)} at most, its share there is {gib(share_mib)})"
    if pin.memory == "preferred":
        return "memory preferred there"
    if pin.per_worker:
        return "vLLM binds each worker to the node of its GPU"
    return "no memory policy, since half of it would be remote to one node"

"""How the plan's sentences name things: GPUs, sizes, lists."""

from __future__ import annotations

from collections.abc import Iterable

from provision.engines.launch import LaunchGpu
from provision.host.facts import Gpu


def gib(mib: int | None) -> str:
    """24576 -> `24.0 GiB`."""
    return "unknown size" if mib is None else f"{mib / 1024:.1f} GiB"


def gpu_line(gpu: Gpu) -> str:
    """`GPU 3 (RTX 3090, 24.0 GiB, 0000:c1:00.0)`, as people meet it in nvidia-smi."""
    return f"GPU {gpu.index} ({gpu_name(gpu)}, {gib(gpu.memory_mib)}, {gpu.address})"


def gpu_name(gpu: Gpu) -> str:
    """`RTX 3090`, without its maker."""
    return (gpu.name or gpu.vendor).removeprefix("NVIDIA ").removeprefix("GeForce ")


def gpu_numbers(gpus: Iterable[Gpu | LaunchGpu]) -> str:
    """`GPU 2`, `GPUs 0 and 1`, `GPUs 0, 1, 2 and 3`."""
    numbers = [str(gpu.index) for gpu in gpus]
    return ("GPU " if len(numbers) == 1 else "GPUs ") + listed(numbers)


def gpu_uuids(gpus: Iterable[Gpu]) -> str:
    """For a remedy that can be copied."""
    return ", ".join(gpu.uuid for gpu in gpus)


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    found = list(words)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} {last} {found[-1]}"


def counted(number: int, noun: str) -> str:
    """`1 GPU`, `3 GPUs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nodes_text(nodes: Iterable[int | None]) -> str:
    """`node 0`, `nodes 0 and 1`, `an unknown node`."""
    found = sorted({node for node in nodes if node is not None})
    if not found:
        return "an unknown node"
    return ("node " if len(found) == 1 else "nodes ") + listed(map(str, found))

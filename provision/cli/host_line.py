"""A machine in one line: `gpu-box-1: 2 sockets, 2 NUMA nodes, 4x RTX 3090 24 GiB, ...`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from provision.host.facts import Facts
from provision.view.labels import gpu_name

from .screen import count, gib

_WIDTH = 100  # beyond that the drivers' versions are left out


def host_line(facts: Facts) -> str:
    """What matters of a host, and nothing that is unknown."""
    parts = list(_parts(facts))
    line = f"{facts.stable.system.hostname}: {', '.join(parts) or 'nothing known'}"
    if len(line) <= _WIDTH:
        return line
    return f"{facts.stable.system.hostname}: {', '.join(_without_drivers(parts))}"


def _without_drivers(parts: list[str]) -> list[str]:
    return [part for part in parts if not part.startswith("driver ")]


def _parts(facts: Facts) -> Iterator[str]:
    stable = facts.stable
    if stable.cpu.sockets is not None:
        yield count(stable.cpu.sockets, "socket")
    if stable.numa_nodes:
        yield count(len(stable.numa_nodes), "NUMA node")
    # Graphics inside the CPU are no card; alone they are what there is (APU, Tegra, Spark).
    cards = [gpu for gpu in stable.gpus if not gpu.integrated] or list(stable.gpus)
    kinds = Counter(f"{gpu_name(gpu)} {gib(gpu.memory_mib)}".strip() for gpu in cards)
    links = _links(facts)
    for at, (kind, number) in enumerate(kinds.items()):
        last = at == len(kinds) - 1
        yield f"{number}x {kind}" + (f" ({links})" if links and last else "")
    if not stable.gpus:
        there = len(stable.accelerators)
        yield f"{count(there, 'accelerator')} without a usable driver" if there else "no GPU"
    for driver in stable.drivers:
        if driver.version:
            yield f"driver {driver.version}"


def _links(facts: Facts) -> str:
    """`NVLink 0-1, 2-3`, or `NVLink between all` where every pair has one."""
    index = {gpu.uuid: gpu.index for gpu in facts.stable.gpus}
    pairs = sorted(
        (index[link.a], index[link.b])
        for link in facts.stable.gpu_links
        if link.nvlinks and link.a in index and link.b in index
    )
    every = len(index) * (len(index) - 1) // 2
    if len(pairs) == every and every > 1:
        return "NVLink between all"
    return f"NVLink {', '.join(f'{a}-{b}' for a, b in pairs)}" if pairs else ""

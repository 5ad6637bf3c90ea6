"""What the picture says about the machine as a whole: title lines, and the text for readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from provision.host.facts import Facts
from provision.view.labels import gib, gpu_name

from .machine import Machine
from .seats import Seats

_DOT = " · "
_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}


def heading_lines(facts: Facts, machine: Machine) -> list[str]:
    """Host name and product; processors and memory; system and drivers; what is empty."""
    system = facts.stable.system
    lines = [
        _DOT.join(filter(None, (system.hostname, system.product))),
        _DOT.join(filter(None, _hardware(facts))),
        _DOT.join(filter(None, _software(facts))),
        machine.empty.capitalize() + " (neither CPUs nor memory)" if machine.empty else "",
    ]
    return [lines[0] or "unnamed host", *filter(None, lines[1:])]


def _hardware(facts: Facts) -> Iterator[str]:
    cpu = facts.stable.cpu
    yield " ".join((cpu.model or "").split())
    if cpu.sockets:
        yield f"{cpu.sockets} socket{'s' if cpu.sockets > 1 else ''}"
    if cpu.cores:
        threads = f" with {len(cpu.online)} threads" if len(cpu.online) != len(cpu.cores) else ""
        yield f"{len(cpu.cores)} core{'s' if len(cpu.cores) > 1 else ''}{threads}"
    if cpu.offline:
        yield f"CPUs {cpu.offline} offline"
    yield f"{gib(facts.stable.system.memory_mib)} memory" if facts.stable.system.memory_mib else ""


def _software(facts: Facts) -> Iterator[str]:
    system = facts.stable.system
    yield system.pretty_name or system.distribution or ""
    yield f"kernel {system.kernel}" if system.kernel else ""
    for one in facts.stable.drivers:
        if one.version:
            cuda = ""
            if one.cuda:
                cuda = f" ({'ROCm' if one.vendor == 'amd' else 'CUDA'} {one.cuda})"
            yield f"{_VENDORS[one.vendor]} driver {one.version}{cuda}"
    yield f"in {system.container}" if system.container else ""
    yield f"virtual machine ({system.virtual_machine})" if system.virtual_machine else ""


def description(facts: Facts, seats: Seats) -> tuple[str, str]:
    """Title and text for those who cannot see the picture."""
    stable = facts.stable
    counts = Counter(f"{_VENDORS[gpu.vendor]} {gpu_name(gpu)}" for gpu in stable.gpus)
    cards = ", ".join(f"{number} × {name}" for name, number in counts.items())
    nodes = len(stable.numa_nodes)
    said = [
        " ".join(filter(None, _hardware(facts))),
        f"{nodes} NUMA node{'s' if nodes != 1 else ''}",
        f"GPUs: {cards}" if cards else "no GPU",
    ]
    if seats.all:
        said.append(f"{seats.heading}: {', '.join(seat.name for seat in seats.all)}")
    if facts.findings:
        said.append(f"findings: {', '.join(dict.fromkeys(one.rule for one in facts.findings))}")
    return f"The machine {stable.system.hostname}", ". ".join(said) + "."

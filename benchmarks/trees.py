"""Made trees of files that look like large machines' sysfs and procfs."""

from __future__ import annotations

from pathlib import Path

_CPUS, _NODES = 256, 8


def large_machine(folder: Path) -> Path:
    """2 sockets of 64 cores with 2 threads, 8 nodes (NPS4), with caches, as lstopo wants them."""
    cpu = folder / "sys/devices/system/cpu"
    _write(cpu / "online", f"0-{_CPUS - 1}")
    _write(cpu / "possible", f"0-{_CPUS - 1}")
    _write(cpu / "present", f"0-{_CPUS - 1}")
    for number in range(_CPUS):
        _cpu(cpu / f"cpu{number}", number)
    nodes = folder / "sys/devices/system/node"
    _write(nodes / "online", f"0-{_NODES - 1}")
    for number in range(_NODES):
        _node(nodes / f"node{number}", number)
    blocks = (f"processor\t: {number}\nmodel name\t: AMD EPYC 7742 64-Core Processor\n"
              for number in range(_CPUS))  # fmt: skip
    _write(folder / "proc/cpuinfo", "\n".join(blocks))
    _write(folder / "proc/meminfo", "MemTotal:       1056000000 kB\nMemFree:  900000000 kB")
    _write(folder / "proc/mounts", "sysfs /sys sysfs rw 0 0")
    return folder


def _cpu(folder: Path, number: int) -> None:
    core = number % (_CPUS // 2)
    siblings = {core, core + _CPUS // 2}
    socket = core // (_CPUS // 4)
    package = {one for one in range(_CPUS) if one % (_CPUS // 2) // (_CPUS // 4) == socket}
    topology = folder / "topology"
    for name, cpus in (("thread_siblings", siblings), ("core_siblings", package)):
        _write(topology / name, _mask(cpus))
        _write(topology / f"{name}_list", _list(cpus))
    for name, cpus in (("core_cpus", siblings), ("package_cpus", package)):
        _write(topology / name, _mask(cpus))
        _write(topology / f"{name}_list", _list(cpus))
    _write(topology / "physical_package_id", str(socket))
    _write(topology / "core_id", str(core % (_CPUS // 4)))
    complex_ = {one for one in range(_CPUS) if one % (_CPUS // 2) // 4 == core // 4}
    kinds = ((1, "Data", "32K", siblings), (1, "Instruction", "32K", siblings),
             (2, "Unified", "512K", siblings), (3, "Unified", "16384K", complex_))  # fmt: skip
    for at, (level, kind, size, cpus) in enumerate(kinds):
        cache = folder / f"cache/index{at}"
        _write(cache / "level", str(level))
        _write(cache / "type", kind)
        _write(cache / "size", size)
        _write(cache / "shared_cpu_map", _mask(cpus))
        _write(cache / "shared_cpu_list", _list(cpus))


def _node(folder: Path, number: int) -> None:
    size = _CPUS // 2 // _NODES
    cpus = {one for one in range(_CPUS) if one % (_CPUS // 2) // size == number}
    _write(folder / "cpumap", _mask(cpus))
    _write(folder / "cpulist", _list(cpus))
    near = [10 if one == number else 12 if one // 4 == number // 4 else 32 for one in range(_NODES)]
    _write(folder / "distance", " ".join(map(str, near)))
    _write(folder / "meminfo", f"Node {number} MemTotal:       132000000 kB")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def _list(cpus: set[int]) -> str:
    return ",".join(map(str, sorted(cpus)))


def _mask(cpus: set[int]) -> str:
    value = f"{sum(1 << one for one in cpus):0{_CPUS // 4}x}"
    return ",".join(value[at : at + 8] for at in range(0, len(value), 8))

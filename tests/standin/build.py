"""Compiles the NVML stand-in, and writes tables of GPUs for it (format: head of nvml.c).

By hand: `python tests/standin/build.py FOLDER [MACHINE]`, then LD_LIBRARY_PATH=FOLDER and
NVML_STANDIN_TABLE=FOLDER/MACHINE.tsv.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SONAME = "libnvidia-ml.so.1"
PIX, PXB, PHB, NODE, SYS = 10, 20, 30, 40, 50  # nvmlGpuTopologyLevel_t


@dataclass(frozen=True)
class Model:
    """What a kind of GPU answers. Power in watts: least, most, default; None: not supported."""

    name: str
    memory_mib: int
    capability: str
    pci_id: str
    power: tuple[int, int, int] | None
    serial: bool = False
    mig: bool = False


MODELS: dict[str, Model] = {
    "h100": Model("NVIDIA H100 80GB HBM3", 81559, "9.0", "0x233010de", (200, 700, 700), True, True),
    "l40s": Model("NVIDIA L40S", 46068, "8.9", "0x26b910de", (100, 350, 350), True),
    "3060": Model("NVIDIA GeForce RTX 3060", 12288, "8.6", "0x250310de", (100, 212, 170)),
    "3090": Model("NVIDIA GeForce RTX 3090", 24576, "8.6", "0x220410de", (100, 366, 350)),
    "4090": Model("NVIDIA GeForce RTX 4090", 24564, "8.9", "0x268410de", (150, 600, 450)),
    "4090-laptop": Model("NVIDIA GeForce RTX 4090 Laptop GPU", 16376, "8.9", "0x275710de", None),
}


def build(folder: Path, without: Sequence[str] = ()) -> Path:
    """Compile the library into a folder; `without` hides functions, as an old driver lacks them."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / SONAME
    hidden = "".join(f" {name};" for name in without)
    script = folder / "nvml-standin.map"
    script.write_text(f"{{ global: *;{f' local:{hidden}' if hidden else ''} }};\n")
    source = Path(__file__).with_name("nvml.c")
    words = ["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    linker = [f"-Wl,-soname,{SONAME}", f"-Wl,--version-script={script}"]
    subprocess.run([*words, *linker, "-o", str(library), str(source)], check=True)
    return library


def uuid_of(bus: str) -> str:
    """A UUID that is always the same for a PCI address."""
    digest = hashlib.sha256(bus.lower().encode()).hexdigest()
    cuts = (digest[0:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32])
    return f"GPU-{'-'.join(cuts)}"


def table_text(
    gpus: Sequence[str],
    model: str | Sequence[str] = "h100",
    *,
    nodes: Sequence[int] | None = None,
    nvlinks: Mapping[tuple[int, int], int] | None = None,
    switch_links: int = 0,
    p2p: int = 0,
    near: int = NODE,
    more: Sequence[str] = (),
) -> str:
    """The table of a machine whose GPUs sit at these PCI addresses (`0000:17:00.0`).

    model: a key of MODELS for all, or one for each. nodes: the NUMA node of each GPU, which makes
    pairs on one node `near` and others SYS; without it all are near. nvlinks: by pairs of GPUs.
    more: further lines, words between tabs.
    """
    kinds = [model] * len(gpus) if isinstance(model, str) else list(model)
    where = list(nodes) if nodes is not None else [0] * len(gpus)
    lines = ["# made by tests/standin/build.py", _line("driver", version="580.95.05", cuda="13000")]
    for at, (bus, kind) in enumerate(zip(gpus, kinds, strict=True)):
        lines.append(_gpu_line(at, bus, MODELS[kind]))
    for a in range(len(gpus)):
        for b in range(a + 1, len(gpus)):
            ancestor = near if where[a] == where[b] else SYS
            count = (nvlinks or {}).get((a, b), 0)
            status = 0 if count or switch_links else p2p
            lines.append(_line("link", a=a, b=b, ancestor=ancestor, p2p=status, nvlinks=count))
    if switch_links:
        lines += [_line("switch", gpu=at, links=switch_links) for at in range(len(gpus))]
    return "\n".join([*lines, *more]) + "\n"


def _gpu_line(at: int, bus: str, model: Model) -> str:
    pairs: dict[str, object] = {
        "uuid": uuid_of(bus),
        "bus": bus,
        "name": model.name,
        "memory_mib": model.memory_mib,
        "used_mib": 4,
        "reserved_mib": 512,
        "capability": model.capability,
        "minor": at,
        "pci_id": model.pci_id,
        "persistence": 0,
        "power_draw": 31250,
    }
    if model.power:
        names = ("power_min", "power_max", "power_default")
        pairs.update(zip(names, (watts * 1000 for watts in model.power), strict=True))
    if model.serial:
        pairs["serial"] = f"165052300{at:04d}"
    if model.mig:
        pairs["mig"] = 0
    return _line("gpu", **pairs)


def _line(word: str, **pairs: object) -> str:
    return "\t".join([word, *(f"{key}={value}" for key, value in pairs.items())])


def _four_h100() -> str:
    buses = ("0000:17:00.0", "0000:3d:00.0", "0000:97:00.0", "0000:bd:00.0")
    return table_text(buses, nodes=(0, 0, 1, 1))


def _two_3090() -> str:
    buses = ("0000:01:00.0", "0000:02:00.0")
    return table_text(buses, "3090", nvlinks={(0, 1): 4}, near=PHB, p2p=2)


def _eight_h100() -> str:
    buses = [f"0000:{bus}:00.0" for bus in ["1b", "43", "52", "61", "9d", "c3", "d1", "df"]]
    return table_text(buses, nodes=(0, 0, 0, 0, 1, 1, 1, 1), switch_links=18)


def _laptop() -> str:
    return table_text(("0000:01:00.0",), "4090-laptop")


def _mixed() -> str:
    return table_text(("0000:01:00.0", "0000:04:00.0"), ("3090", "3060"), near=PHB, p2p=2)


MACHINES: dict[str, Callable[[], str]] = {
    "4xh100-2node": _four_h100,
    "2x3090-nvlink": _two_3090,
    "8xh100-nvswitch": _eight_h100,
    "1x4090-laptop": _laptop,
    "mixed-24-12": _mixed,
}


def machine_table(name: str) -> str:
    """The table of a named machine."""
    return MACHINES[name]()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    build(target)
    for machine in sys.argv[2:] or sorted(MACHINES):
        (target / f"{machine}.tsv").write_text(machine_table(machine))

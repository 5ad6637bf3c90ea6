"""From machine.yaml to the facts: lay the tree out, ask the driver, look.

All machines' drivers are asked in one subprocess, since the dynamic linker reads LD_LIBRARY_PATH
only when a program starts; the stand-in reads its table anew at each sitting.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from provision.host.document import loads
from provision.host.facts import Facts, InspectRequest
from provision.host.inspect.host import look
from provision.host.inspect.nvidia.answers import NvmlAnswers
from provision.host.inspect.source import Room

from .amd_files import write_drm, write_kfd
from .cpu_files import lay_out, write_cpus, write_nodes
from .description import Description
from .host import Host
from .nvml_table import nvml_table
from .pci_files import write_pci
from .programs import BuiltSource, kernel_log
from .system_files import mounts, write_system

_ROOT = Path(__file__).resolve().parents[2]
_SITTINGS = """
import json, os, sys
from provision.host.document import dumps
from provision.host.inspect.nvidia.nvml.child import ask_nvml
answers = {}
for table in sys.argv[1:]:
    os.environ["NVML_STANDIN_TABLE"] = table
    answers[table] = dumps(ask_nvml())
print(json.dumps(answers))
"""


def build_machine(machine: Description, root: Path) -> Host:
    """The machine's tree of files below an empty folder."""
    host = Host(root)
    layout = lay_out(machine)
    write_cpus(host, machine, layout)
    write_nodes(host, machine, layout)
    write_pci(host, machine, layout)
    write_drm(host, machine)
    write_kfd(host, machine, layout)
    write_system(host, machine, layout)
    return host


def ask_drivers(
    library: Path, machines: Mapping[str, Description], folder: Path
) -> dict[str, NvmlAnswers]:
    """What the driver of each machine answers; nothing of machines without a driver.

    library: the folder of the compiled stand-in. folder: an empty one for the tables.
    """
    tables: dict[str, str] = {}
    for name, machine in machines.items():
        table = nvml_table(machine)
        if table is not None:
            path = folder / f"{name}.tsv"
            path.write_text(table)
            tables[name] = str(path)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(library),
        "NVML_STANDIN_STATE": str(folder / "state"),
        "PYTHONPATH": str(_ROOT),
    }
    ran = subprocess.run(
        [sys.executable, "-c", _SITTINGS, *tables.values()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd="/",
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    return {name: loads(NvmlAnswers, told[path]) for name, path in tables.items()}


def inspect_machine(machine: Description, host: Host, answers: NvmlAnswers | None) -> Facts:
    """One look at a built machine."""
    said, memlock = machine.section("commands"), machine.section("system").get("memlock")
    source = BuiltSource(
        host.root,
        answers=answers or NvmlAnswers(problem="NVML Shared Library Not Found"),
        units=machine.section("units"),
        commands={"dmesg": kernel_log(machine.told.get("kernel_log") or []), **said},
        limits={"DefaultLimitMEMLOCKSoft": memlock} if memlock else {},
        rooms={point: _room(one) for point, one in mounts(machine).items()},
    )
    return look(InspectRequest(**machine.section("request")), source)


def _room(mount: Mapping[str, int]) -> Room:
    size = mount.get("mib", mount.get("gib", 0) << 10) << 20
    free = mount["free_gib"] << 30 if "free_gib" in mount else size
    return Room(size, free)

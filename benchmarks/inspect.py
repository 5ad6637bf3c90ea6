"""CPU seconds of one look at a machine: provision inspect, lstopo, lscpu, side by side.

The machine is a tree of files, which all three can read: a made one of 256 CPUs on 8 NUMA nodes, or
any other with --tree DIR (its sys/ and proc/). lstopo reads it through HWLOC_FSROOT.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from .trees import large_machine

_SECONDS = 60


def main(words: Sequence[str]) -> int:
    """Exit code 0 after the table; 1 when none of the other programs is installed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks inspect", description=__doc__)
    parser.add_argument("--tree", type=Path, help="a recorded machine instead of the made one")
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        tree = options.tree or large_machine(Path(folder))
        print(table(measured(contestants(tree.resolve()), max(3, options.repeat))))
    return 0


def contestants(tree: Path) -> Mapping[str, tuple[list[str], dict[str, str]]]:
    """Name -> command line and what its environment has besides the usual."""
    found: dict[str, tuple[list[str], dict[str, str]]] = {
        "python starts": ([sys.executable, "-c", "pass"], {}),
        "and loads the inspector": (
            [sys.executable, "-c", "import provision.host.inspect.host"],
            {},
        ),
        "provision inspect": (
            [sys.executable, "-m", "provision", "inspect", "--sysroot", str(tree), "--json"],
            {},
        ),
        "provision agent": (
            [sys.executable, "-m", "provision.host", "inspect", "--root", str(tree)],
            {},
        ),
    }
    lstopo = shutil.which("lstopo-no-graphics") or shutil.which("lstopo")
    if lstopo:
        # Else hwloc asks this machine's CPUs and PCI bus as well.
        only_files = {"HWLOC_FSROOT": str(tree), "HWLOC_COMPONENTS": "-all,linux,stop"}
        found["lstopo"] = (
            [lstopo, "--of", "console", "-"],
            {**only_files, "HWLOC_THISSYSTEM": "0"},
        )
    lscpu = shutil.which("lscpu")
    if lscpu:
        found["lscpu"] = ([lscpu, "--sysroot", str(tree)], {})
    return found


def measured(
    programs: Mapping[str, tuple[list[str], dict[str, str]]], repeat: int
) -> dict[str, list[float]]:
    """CPU seconds, user and system, of each run; the programs take turns."""
    found: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(repeat + 1):
        for name, (argv, more) in programs.items():
            seconds = cpu_seconds(argv, {**os.environ, **more})
            if turn:  # the first one fills the caches
                found[name].append(seconds)
    return found


def cpu_seconds(argv: Sequence[str], environment: Mapping[str, str]) -> float:
    """CPU seconds of a program and the children that it waited for. RuntimeError when it fails."""
    process = subprocess.Popen(
        argv,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    said = process.stderr.read().decode() if process.stderr else ""
    if process.returncode:
        raise RuntimeError(f"{argv[0]}: exit code {process.returncode}: {said.strip()}")
    return usage.ru_utime + usage.ru_stime


def table(found: Mapping[str, Sequence[float]]) -> str:
    """Markdown: median, least and most, and how much of lstopo's time that is."""
    base = median(found["lstopo"]) if "lstopo" in found else None
    lines = ["| program | CPU ms, median (least to most) | / lstopo |", "|---|---:|---:|"]
    for name, seconds in found.items():
        middle = median(seconds)
        ratio = f"{middle / base:.2f}" if base else "lstopo is not installed"
        spread = f"{min(seconds) * 1000:.0f} to {max(seconds) * 1000:.0f}"
        lines.append(f"| {name} | {middle * 1000:.0f} ({spread}) | {ratio} |")
    return "\n".join(lines)

"""The operating system: names, versions, systemd, cgroups, the interpreter for our units."""

from __future__ import annotations

import os
import re
import shlex
from typing import Literal

from ..facts import System
from ..run import run, which
from .numa import memory_total_mib
from .tree import Tree

Cgroup = Literal["v1", "hybrid", "v2"]
_PYTHONS = ("python3", "python3.10", "python3.11", "python3.12", "python3.13")
_OLDEST_PYTHON = (3, 10)


def read_system(tree: Tree) -> System:
    """The system as a whole. On a recorded tree only what files tell."""
    release = parse_os_release(
        tree.text("/etc/os-release") or tree.text("/usr/lib/os-release") or ""
    )
    distribution = " ".join(filter(None, (release.get("ID"), release.get("VERSION_ID"))))
    kernel = tree.text("/proc/sys/kernel/osrelease") or kernel_version(
        tree.text("/proc/version") or ""
    )
    return System(
        hostname=_hostname(tree),
        kernel=os.uname().release if tree.live else kernel,
        architecture=os.uname().machine if tree.live else tree.text("/proc/sys/kernel/arch"),
        distribution=distribution or None,
        pretty_name=release.get("PRETTY_NAME"),
        systemd=_systemd(tree),
        cgroup=parse_cgroup_mounts(
            tree.text("/proc/self/mounts") or tree.text("/proc/mounts") or ""
        ),
        python=_python(tree),
        numactl=which("numactl") if tree.live else _program(tree, "numactl"),
        memory_mib=memory_total_mib(tree.text("/proc/meminfo") or ""),
        numa_balancing=tree.number("/proc/sys/kernel/numa_balancing"),
        ephemeral_ports=parse_port_range(tree.text("/proc/sys/net/ipv4/ip_local_port_range") or ""),
        container=_container(tree),
    )


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release(5); lines that are not one are passed over."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, raw = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            words = shlex.split(raw)
        except ValueError:
            continue
        if words:
            values[key] = words[0]
    return values


def kernel_version(text: str) -> str | None:
    """The release in /proc/version."""
    match = re.match(r"Linux version (\S+)", text)
    return match[1] if match else None


def parse_systemd_version(text: str) -> int | None:
    """`systemd 252 (252.39-1~deb12u2)`; `systemd 256~rc3` is 256."""
    match = re.match(r"systemd (\d+)", text)
    return int(match[1]) if match else None


def parse_cgroup_mounts(mounts: str) -> Cgroup | None:
    """Which control groups a host uses, from its mounts, as systemd's documentation tells apart.

    v2 is one unified tree at /sys/fs/cgroup; hybrid has it beside the old ones, without their
    controllers; only v2 makes AllowedCPUs= work.
    """
    at: dict[str, str] = {}
    for line in mounts.splitlines():
        words = line.split()
        if len(words) >= 3:
            at[words[1]] = words[2]
    if at.get("/sys/fs/cgroup") == "cgroup2":
        return "v2"
    kinds = {kind for place, kind in at.items() if place.startswith("/sys/fs/cgroup")}
    if "cgroup" in kinds:
        return "hybrid" if "cgroup2" in kinds else "v1"
    return None


def parse_port_range(text: str) -> tuple[int, ...]:
    """First and last port of ip_local_port_range; nothing when they are not told."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return ()
    return (int(words[0]), int(words[1]))


def parse_python_version(text: str) -> tuple[int, int] | None:
    """`3.11`, or the end of a file name `python3.11`."""
    match = re.search(r"(\d+)\.(\d+)$", text.strip())
    return (int(match[1]), int(match[2])) if match else None


def _hostname(tree: Tree) -> str:
    if tree.live:
        return os.uname().nodename
    name = tree.text("/proc/sys/kernel/hostname") or tree.text("/etc/hostname")
    return name.split()[0] if name else tree.root.absolute().name


def _systemd(tree: Tree) -> int | None:
    program = which("systemctl") if tree.live else None
    if program:
        return parse_systemd_version(run([program, "--version"]).out)
    # Its private library is named by the version, wherever the distribution keeps it.
    folders = ["/usr/lib/systemd", "/lib/systemd"]
    folders += [f"/usr/lib/{name}/systemd" for name in tree.names("/usr/lib") if "-linux-" in name]
    for folder in folders:
        for name in tree.names(folder):
            match = re.match(r"libsystemd-shared-(\d+)[.\d-]*.*\.so$", name)
            if match:
                return int(match[1])
    return None


def _python(tree: Tree) -> str | None:
    """The first interpreter new enough for the host half, which units start by its full path."""
    for name in _PYTHONS:
        path = f"/usr/bin/{name}"
        if not tree.is_file(path):
            continue
        if tree.live:
            code = "import sys; print('%d.%d' % sys.version_info[:2])"
            version = parse_python_version(run([path, "-I", "-c", code]).out)
        else:
            version = parse_python_version(tree.real(path).rpartition("/")[2])
        if version and version >= _OLDEST_PYTHON:
            return path
    return None


def _program(tree: Tree, name: str) -> str | None:
    folders = ("/usr/local/bin", "/usr/bin", "/bin")
    return next((f"{one}/{name}" for one in folders if tree.is_file(f"{one}/{name}")), None)


def _container(tree: Tree) -> str | None:
    """The kind of container; systemd leaves it in a file for everybody (container interface)."""
    told = tree.text("/run/systemd/container")
    if told:
        return told.split()[0]
    detect = which("systemd-detect-virt") if tree.live else None
    if detect:
        word = run([detect, "--container"]).out.strip()
        if word and word != "none":
            return word
    if tree.is_file("/run/.containerenv"):
        return "podman"
    return "docker" if tree.is_file("/.dockerenv") else None

"""The operating system: names, versions, systemd, cgroups, the interpreter for our units."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Literal

from ...facts import System
from ..source import Source
from .device_order import read_device_order
from .product import read_product
from .virtualization import read_container, read_virtual_machine

Cgroup = Literal["v1", "hybrid", "v2"]
_PYTHONS = ("python3", "python3.10", "python3.11", "python3.12", "python3.13")
_OLDEST_PYTHON = (3, 10)
_SYSTEMD_FOLDERS = ("/usr/lib/systemd", "/usr/lib64/systemd", "/lib/systemd")


def read_system(source: Source) -> System:
    """The system as a whole. On a recorded tree only what files tell."""
    release = parse_os_release(
        source.text("/etc/os-release") or source.text("/usr/lib/os-release") or ""
    )
    distribution = " ".join(filter(None, (release.get("ID"), release.get("VERSION_ID"))))
    kernel = source.text("/proc/sys/kernel/osrelease") or kernel_version(
        source.text("/proc/version") or ""
    )
    told = source.names_of_system()
    mounts = source.text("/proc/self/mounts") or source.text("/proc/mounts") or ""
    meminfo = source.text("/proc/meminfo") or ""
    return System(
        hostname=told.hostname if told else _hostname(source),
        kernel=told.release if told else kernel,
        architecture=told.architecture if told else source.text("/proc/sys/kernel/arch"),
        distribution=distribution or None,
        pretty_name=release.get("PRETTY_NAME"),
        product=read_product(source),
        systemd=_systemd(source),
        cgroup=parse_cgroup_mounts(mounts),
        python=_python(source),
        numactl=source.which("numactl"),
        memory_mib=parse_meminfo_mib(meminfo, "MemTotal"),
        swap_mib=parse_meminfo_mib(meminfo, "SwapTotal"),
        numa_balancing=source.number("/proc/sys/kernel/numa_balancing"),
        ephemeral_ports=parse_port_range(
            source.text("/proc/sys/net/ipv4/ip_local_port_range") or ""
        ),
        container=read_container(source, mounts),
        virtual_machine=read_virtual_machine(source),
        cuda_device_order=read_device_order(source),
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
    match = re.match(r"systemd (\d{1,4})", text)
    return int(match[1]) if match else None


def systemd_of_library(names: Iterable[str]) -> int | None:
    """The version in `libsystemd-shared-252.so` or `libsystemd-shared-257.9-2.fc42.so`."""
    versions = [
        int(match[1])
        for name in names
        if (match := re.match(r"libsystemd-shared-(\d{2,4})[.\d~-]*.*\.so$", name))
    ]
    return max(versions, default=None)


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


def parse_meminfo_mib(text: str, key: str) -> int | None:
    """One line of /proc/meminfo, which counts in KiB, as MiB."""
    match = re.search(rf"^{key}:\s+(\d{{1,18}}) kB$", text, re.MULTILINE)
    return int(match[1]) // 1024 if match else None


def parse_port_range(text: str) -> tuple[int, ...]:
    """First and last port of ip_local_port_range; nothing when they are not told."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() and len(word) <= 5 for word in words):
        return ()
    return (int(words[0]), int(words[1]))


def parse_python_version(text: str) -> tuple[int, int] | None:
    """`3.11`, or the end of a file name `python3.11`."""
    match = re.search(r"(\d{1,3})\.(\d{1,3})$", text.strip())
    return (int(match[1]), int(match[2])) if match else None


def _hostname(source: Source) -> str:
    name = source.text("/proc/sys/kernel/hostname") or source.text("/etc/hostname") or ""
    return next(iter(name.split()), None) or source.root.absolute().name


def _systemd(source: Source) -> int | None:
    """Its version, from the name of its private library: a program is started only without one."""
    names = [name for folder in _SYSTEMD_FOLDERS for name in source.names(folder)]
    if not any("libsystemd-shared" in name for name in names):
        lib = source.names("/usr/lib")
        multiarch = [name for name in lib if "-linux-" in name]  # Debian and Ubuntu since 2022
        names = [one for name in multiarch for one in source.names(f"/usr/lib/{name}/systemd")]
    version = systemd_of_library(names)
    if version is not None:
        return version
    program = source.which("systemctl")
    return parse_systemd_version(source.run([program, "--version"]).out) if program else None


def _python(source: Source) -> str | None:
    """The first interpreter new enough for the host half, which units start by its full path.

    The name of the file that /usr/bin/python3 leads to tells the version wherever a distribution
    packs it; only another is started to ask.
    """
    for name in _PYTHONS:
        path = f"/usr/bin/{name}"
        if not source.is_file(path):
            continue
        version = parse_python_version(source.real(path).rpartition("/")[2])
        if version is None and source.may_trust(path):
            code = "import sys; print('%d.%d' % sys.version_info[:2])"
            version = parse_python_version(source.run([path, "-I", "-c", code]).out)
        if version and version >= _OLDEST_PYTHON:
            return path
    return None

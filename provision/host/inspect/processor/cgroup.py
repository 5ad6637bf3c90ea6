"""Limits of the control group that inspection runs in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ...facts import CgroupLimits
from ...quantity import CpuSet
from ..tree import Tree

_NO_LIMIT = 1 << 60  # bytes; v1 writes its greatest number of pages for no limit
_MOST_FOLDERS = 64
_V2 = ""  # the name of the unified hierarchy among the controllers

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where a controller's files lie: the folders from our own group up to the mount's root."""

    path: str  # as /proc/self/cgroup tells it
    mount: str
    root: str = "/"  # the part of the hierarchy that is mounted there

    def folders(self) -> Iterator[str]:
        """Our own group's folder first, the mount point last.

        In a container without a cgroup namespace the path is the host's and only a part of the
        hierarchy is mounted; with one, paths may lead out of it (`/../..`).
        """
        below = [part for part in self.path.split("/") if part]
        start = [part for part in self.root.split("/") if part]
        if ".." in start:
            start = []
        below = below[len(start) :] if below[: len(start)] == start and ".." not in below else []
        for depth in range(min(len(below), _MOST_FOLDERS), -1, -1):
            yield "/".join((self.mount.rstrip("/"), *below[:depth]))


def read_cgroup_limits(tree: Tree) -> CgroupLimits:
    """The tightest limits on the way from our own control group to the root, v1 or v2."""
    told = group_paths(tree.text("/proc/self/cgroup") or "")
    mounts = cgroup_mounts(tree.text("/proc/self/mountinfo") or "") or _usual_mounts(tree)
    found = {name: Hierarchy(path, *mounts[name]) for name, path in told.items() if name in mounts}
    unified = found.get(_V2)
    cpuset, cpu, memory = (found.get(name, unified) for name in ("cpuset", "cpu", "memory"))
    return CgroupLimits(
        path=own_path(told),
        cpus=_cpuset(tree, cpuset, "cpus", "/sys/devices/system/cpu/online"),
        nodes=_cpuset(tree, cpuset, "mems", "/sys/devices/system/node/online"),
        cpu_quota=_least(_quota(tree, folder) for folder in _folders(cpu)),
        memory_mib=_least(_memory_mib(tree, folder) for folder in _folders(memory)),
    )


def group_paths(text: str) -> Mapping[str, str]:
    """Our groups by controller from /proc/self/cgroup; the unified hierarchy's name is empty."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\d+:([^:]*):(/.*)", line)
        if match:
            for name in match[1].split(","):
                paths.setdefault(name, match[2])
    return paths


def own_path(paths: Mapping[str, str]) -> str | None:
    """The group as people know it: v2's, or systemd's own where v1 holds the controllers."""
    order = ("name=systemd", "memory", "cpu", "cpuset")
    v1 = next((paths[name] for name in order if name in paths), None)
    holds = any(name in paths for name in ("memory", "cpu", "cpuset"))
    return v1 if holds or _V2 not in paths else paths[_V2]


def cgroup_mounts(mountinfo: str) -> Mapping[str, tuple[str, str]]:
    """Mount point and mounted part by controller, from /proc/self/mountinfo (proc(5))."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if not dash or len(fields) < 6 or not kinds[0].startswith("cgroup"):
            continue
        place = (_unescaped(fields[4]), _unescaped(fields[3]))
        names: Sequence[str] = (_V2,) if kinds[0] == "cgroup2" else kinds[-1].split(",")
        for name in names:
            # A container may see the host's hierarchy a second time below some other folder.
            if name not in mounts or not mounts[name][0].startswith("/sys/fs/cgroup"):
                mounts[name] = place
    return mounts


def _usual_mounts(tree: Tree) -> Mapping[str, tuple[str, str]]:
    """Where the hierarchies are mounted as a rule; for recordings without mountinfo."""
    if tree.is_file("/sys/fs/cgroup/cgroup.controllers"):
        return {_V2: ("/sys/fs/cgroup", "/")}
    return {name: (f"/sys/fs/cgroup/{name}", "/") for name in ("cpuset", "cpu", "memory")}


def _folders(hierarchy: Hierarchy | None) -> Iterator[str]:
    return iter(()) if hierarchy is None else hierarchy.folders()


def _cpuset(tree: Tree, hierarchy: Hierarchy | None, what: str, online: str) -> CpuSet | None:
    """The nearest group's effective set; None where it leaves out nothing that is online.

    A group without the controller enabled has no such file and lives in its parent's set.
    """
    files = (f"cpuset.{what}.effective", f"cpuset.effective_{what}", f"cpuset.{what}")
    for folder in _folders(hierarchy):
        for file in files:
            found = tree.cpus(f"{folder}/{file}")
            if found:
                everything = tree.cpus(online)
                return None if everything and everything <= found else found
    return None


def _quota(tree: Tree, folder: str) -> float | None:
    """CPUs' worth of time: v2's cpu.max, or v1's quota and period."""
    text = tree.text(f"{folder}/cpu.max")
    if text is not None:
        return cpu_quota(text)
    quota = tree.text(f"{folder}/cpu.cfs_quota_us")
    if quota is None:
        return None
    return cpu_quota(f"{quota} {tree.text(f'{folder}/cpu.cfs_period_us') or ''}")


def cpu_quota(text: str) -> float | None:
    """CPUs of `200000 100000`; None for `max 100000` and for v1's -1."""
    match = re.fullmatch(r"([0-9]{1,15})\s+([0-9]{1,15})", text.strip())
    if not match or int(match[2]) == 0:
        return None
    return int(match[1]) / int(match[2])


def _memory_mib(tree: Tree, folder: str) -> int | None:
    text = tree.text(f"{folder}/memory.max")
    return memory_limit_mib(text or tree.text(f"{folder}/memory.limit_in_bytes") or "")


def memory_limit_mib(text: str) -> int | None:
    """MiB of a limit in bytes; None for `max` and for v1's 9223372036854771712."""
    match = re.fullmatch(r"[0-9]{1,20}", text)
    return int(text) >> 20 if match and int(text) < _NO_LIMIT else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _least(limits: Iterator[Number | None]) -> Number | None:
    return min((limit for limit in limits if limit is not None), default=None)

"""Processes: their names and the systemd units that own them."""

from __future__ import annotations

import re

from ..tree import Tree

_UNIT = re.compile(r".+\.(?:service|scope|socket|mount|swap)")


def process_name(tree: Tree, pid: int) -> str | None:
    """The name in /proc/PID/comm, at most 15 characters; None for a process that is gone."""
    return tree.text(f"/proc/{pid}/comm") or None


def unit_of(tree: Tree, pid: int) -> str | None:
    """The system unit that a process belongs to; None when it is in none or gone."""
    text = tree.text(f"/proc/{pid}/cgroup")
    return unit_in_cgroup(text, tree.text("/proc/1/cgroup") or "") if text is not None else None


def unit_in_cgroup(text: str, of_init: str = "") -> str | None:
    """The unit of a /proc/PID/cgroup: what stands below the slices, as sd_pid_get_unit(3) says.

    Both forms are read: `0::/system.slice/a.service` and, on v1 and hybrid hosts, the line of the
    controller `name=systemd`. of_init is PID 1's own file: where a container's files name its
    cgroup as seen from outside, what leads to PID 1 is not part of the unit's path. A process of
    a user's manager belongs to `user@1000.service`, one of a container to the container's scope
    (docker-ID.scope); containers outside of systemd's tree (/docker/ID, /lxc.payload.c1) have no
    unit of this host, though they may hold units of their own.
    """
    path = _systemd_path(text)
    if path is None:
        return None
    root = re.sub(r"/init\.scope$", "", _systemd_path(of_init) or "").rstrip("/")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    for part in path.split("/"):
        # A leading `_` protects names that the cgroup file system uses itself (cgroup v2).
        name = part[1:] if part.startswith("_") else part
        if name and not name.endswith(".slice"):
            return name if _UNIT.fullmatch(name) else None
    return None


def _systemd_path(text: str) -> str | None:
    """The path in systemd's own hierarchy: `name=systemd` (v1, hybrid), else the unified one."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and number.isdecimal():
            paths[controllers] = path.removesuffix(" (deleted)")
    legacy = paths.get("name=systemd")
    unified = paths.get("")
    if legacy is not None and legacy != "/":
        return legacy
    return unified if unified is not None else legacy

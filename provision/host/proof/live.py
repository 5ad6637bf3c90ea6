"""Readers of live processes: /proc and the cgroup tree. Parsers are pure, who is gone is None."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..quantity import CpuSet

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
# unified; hybrid's unified part; where systemd keeps its own tree on v1
_CGROUP_TREES = ("", "unified", "systemd")
_EXEC_SECONDS = 2.0  # for the kernel to lay out a new process' stack


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """numa_maps of a process: its policies (mappings by policy), anonymous MiB by node."""

    policies: Mapping[str, int] = field(default_factory=dict)
    anonymous_mib: Mapping[int, float] = field(default_factory=dict)


def parse_cpus(status: str) -> CpuSet | None:
    """Cpus_allowed_list of /proc/PID/status."""
    found = re.search(r"^Cpus_allowed_list:\s*(\S*)", status, re.MULTILINE)
    return CpuSet.parse(found[1]) if found else None


def parse_environ(content: bytes) -> dict[str, str]:
    """Variables of /proc/PID/environ; the first of a name counts, as for getenv(3)."""
    found: dict[str, str] = {}
    for entry in content.split(b"\0"):
        key, equals, value = entry.partition(b"=")
        if equals:
            found.setdefault(os.fsdecode(key), os.fsdecode(value))
    return found


def parse_numa_maps(text: str) -> MemoryMap:
    """Read /proc/PID/numa_maps (numa(7)).

    Pages are counted in a line's own kernelpagesize. Only mappings without a file count as
    anonymous: file pages lie where anybody read them first, whatever this process's policy is.
    """
    policies: dict[str, int] = {}
    kib: dict[int, int] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        many = words[2] if len(words) > 2 and words[2].startswith("(many)") else ""
        policy = f"{words[1]} {many}".strip()  # `prefer (many):0-1`, Linux 5.15 and later
        policies[policy] = policies.get(policy, 0) + 1
        values = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        if "file" in values:
            continue
        size = values.get("kernelpagesize_kB", "4")
        for key, pages in values.items():
            if re.fullmatch(r"N\d+", key):
                node = int(key[1:])
                kib[node] = kib.get(node, 0) + int(pages) * int(size)
    by_node = {node: round(kib[node] / 1024, 1) for node in sorted(kib)}
    return MemoryMap(policies, by_node)


def parse_policy(word: str) -> tuple[str, tuple[int, ...]]:
    """`bind:1`, `bind=static:0-1`, `prefer:1`, `prefer (many):0-1`, `default` -> kind, nodes."""
    found = re.match(r"([a-z]+)[^:]*(?::(.+))?$", word)
    if not found:
        return word, ()
    kind = {"prefer": "preferred"}.get(found[1], found[1])
    return kind, tuple(CpuSet.parse(found[2])) if found[2] else ()


def read_text(pid: int, name: str, proc: Path = PROC) -> str | None:
    """A file of a process; None when the process is gone or it may not be read."""
    try:
        return (proc / str(pid) / name).read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def environ_of(pid: int, proc: Path = PROC) -> dict[str, str] | None:
    """The environment a process was started with; None when gone or not ours to read.

    One that is just being executed reads as empty until the kernel has laid out its stack, for
    longer than an instant on a busy machine, although whoever started it sees its exec(2) done.
    That is waited for: it would look like a process that nobody's apply has started.
    """
    folder = proc / str(pid)
    until = time.monotonic() + _EXEC_SECONDS
    try:
        while True:
            told_before = _environment_is_laid_out((folder / "stat").read_text("utf-8", "replace"))
            content = (folder / "environ").read_bytes()
            if content or told_before or time.monotonic() > until:
                return parse_environ(content)
            time.sleep(0.001)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _environment_is_laid_out(stat: str) -> bool:
    """env_end of /proc/PID/stat (proc(5), field 51), or a process that has no memory any more."""
    fields = stat.rpartition(")")[2].split()  # from field 3, its state, on
    return len(fields) < 49 or fields[0] in "ZXx" or fields[48] != "0"


def command_of(pid: int, proc: Path = PROC) -> str | None:
    """The command line, words joined by spaces."""
    text = read_text(pid, "cmdline", proc)
    return None if text is None else text.replace("\0", " ").strip()


def threads_of(pid: int, proc: Path = PROC) -> dict[int, CpuSet]:
    """Allowed CPUs of every thread; threads that end meanwhile are left out."""
    try:
        tasks = sorted(int(one.name) for one in (proc / str(pid) / "task").iterdir())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
    found: dict[int, CpuSet] = {}
    for task in tasks:
        text = read_text(pid, f"task/{task}/status", proc)
        cpus = parse_cpus(text) if text else None
        if cpus is not None:
            found[task] = cpus
    return found


def members_of(cgroup: str, tree: Path = CGROUP) -> tuple[int, ...]:
    """All processes in a cgroup and below it: a unit's main process, its children, their children.

    cgroup is systemd's ControlGroup, `/system.slice/...`.
    """
    if cgroup in ("", "/"):
        return ()
    for name in _CGROUP_TREES:
        folder = tree / name / cgroup.lstrip("/")
        if folder.is_dir():
            return _pids_below(folder)
    return ()


def _pids_below(folder: Path) -> tuple[int, ...]:
    pids: set[int] = set()
    for one in (folder, *folder.rglob("*")):
        try:
            text = (one / "cgroup.procs").read_text() if one.is_dir() else ""
        except (FileNotFoundError, OSError):
            continue
        pids.update(int(word) for word in text.split())
    return tuple(sorted(pids))


def effective_cpus(cgroup: str, tree: Path = CGROUP) -> CpuSet | None:
    """cpuset.cpus.effective of a cgroup v2; None where the unit has no cpuset of its own."""
    for name in ("", "unified"):
        try:
            text = (tree / name / cgroup.lstrip("/") / "cpuset.cpus.effective").read_text()
        except (FileNotFoundError, OSError):
            continue
        return CpuSet.parse(text)
    return None

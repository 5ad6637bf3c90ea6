"""Progress by an engine's own counters, and by the CPU time of its unit. Parsers are pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..proof.live import CGROUP, PROC, members_of, read_text

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{.*\})?\s+(\S+)(?:\s+-?\d+)?\s*")
# Of one CPU. An idle engine takes far less, one that loads or computes takes more.
_CLEARLY = 0.05


def sums(text: str, names: Iterable[str]) -> dict[str, float]:
    """Samples of a Prometheus text answer by name, those of all labels added up."""
    wanted = frozenset(names)
    found: dict[str, float] = {}
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line)
        if match is None or match[1] not in wanted:
            continue
        try:
            value = float(match[2])
        except ValueError:
            continue
        if value == value and abs(value) != float("inf"):
            found[match[1]] = found.get(match[1], 0.0) + value
    return found


def grew(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Whether one of the counters is higher; one that began anew (a restart) is not."""
    return any(after[name] > value for name, value in before.items() if name in after)


def worked(before: float | None, after: float | None, seconds: float) -> bool:
    """Whether CPU time grew clearly within so many seconds; unknown counts as no."""
    if before is None or after is None or seconds <= 0:
        return False
    return after - before >= _CLEARLY * seconds


def parse_cpu_stat(text: str) -> float | None:
    """usage_usec of a cgroup v2's cpu.stat, in seconds."""
    found = re.search(r"^usage_usec (\d+)$", text, re.MULTILINE)
    return int(found[1]) / 1e6 if found else None


def parse_stat_ticks(text: str) -> int | None:
    """utime + stime of /proc/PID/stat in clock ticks (proc(5); the name may hold anything)."""
    words = text.rpartition(")")[2].split()
    try:
        return int(words[11]) + int(words[12])
    except (IndexError, ValueError):
        return None


def cpu_seconds(cgroup: str, tree: Path = CGROUP, proc: Path = PROC) -> float | None:
    """CPU time of a unit with all its children, those of the past included where it is counted.

    cgroup is systemd's ControlGroup. On cgroup v1, where a unit's time is counted only on request,
    it is the sum over the processes of now; it may then shrink when one ends.
    """
    if cgroup in ("", "/"):
        return None
    try:
        text = (tree / cgroup.lstrip("/") / "cpu.stat").read_text()
    except OSError:
        text = ""
    counted = parse_cpu_stat(text)
    if counted is not None:
        return counted
    ticks = [_ticks(pid, proc) for pid in members_of(cgroup, tree)]
    known = [one for one in ticks if one is not None]
    return sum(known) / os.sysconf("SC_CLK_TCK") if known else None


def _ticks(pid: int, proc: Path) -> int | None:
    text = read_text(pid, "stat", proc)
    return None if text is None else parse_stat_ticks(text)

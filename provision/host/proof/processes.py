"""Claims about an instance's live processes: who they are, where they and their memory are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..bundle import Expectation, Instance
from ..quantity import CpuSet
from ..report import Check
from ..systemd import UnitStatus
from .live import (
    MemoryMap,
    command_of,
    effective_cpus,
    environ_of,
    members_of,
    parse_numa_maps,
    parse_policy,
    read_text,
    threads_of,
)

_SHARE = 0.90  # of anonymous memory on the planned nodes; below, pages really went astray


def process_checks(instance: Instance, status: UnitStatus) -> list[Check]:
    """All claims that /proc and the cgroup tree can prove or refute."""
    expected = instance.expectation
    main = status.main_pid
    if main is None:
        return [Check(instance.name, "processes", False, "a main process", "none")]
    pids = members_of(status.cgroup) or (main,)
    threads = {pid: threads_of(pid) for pid in pids}
    maps = {
        pid: parse_numa_maps(text)
        for pid in pids
        if (text := read_text(pid, "numa_maps")) is not None
    }
    checks = [processes(instance, main, command_of(main), threads)]
    if expected.cpus is not None:
        checks.append(cpus(instance.name, expected.cpus, threads))
    if expected.hard_cpuset and expected.cpus is not None:
        checks.append(cpuset(instance.name, expected.cpus, effective_cpus(status.cgroup)))
    if expected.memory_policy is not None:
        checks.append(memory_policy(instance.name, expected, maps))
    if expected.memory_nodes:
        checks.append(memory(instance.name, expected, maps))
    checks.append(environment(instance, environ_of(main)))
    return checks


def processes(
    instance: Instance,
    main: int,
    command: str | None,
    threads: Mapping[int, Mapping[int, CpuSet]],
) -> Check:
    """The main process is the engine's program."""
    wanted = instance.expectation.process
    number = sum(len(one) for one in threads.values())
    detail = f"{len(threads)} processes, {number} threads in {instance.unit}"
    actual = f"pid {main}: {command:.120}" if command else f"pid {main} is gone"
    return Check(
        instance.name, "processes", bool(command and wanted in command), wanted, actual, detail
    )


def cpus(name: str, planned: CpuSet, threads: Mapping[int, Mapping[int, CpuSet]]) -> Check:
    """No thread of any process may run outside of the planned CPUs."""
    seen = [(pid, task, one) for pid, tasks in threads.items() for task, one in tasks.items()]
    if not seen:
        return Check(name, "cpus", None, str(planned), "unknown", "/proc tells no thread")
    astray = [(pid, task, one) for pid, task, one in seen if not one <= planned]
    union = CpuSet.of(cpu for _, _, one in seen for cpu in one)
    detail = f"{len(seen)} threads of {len(threads)} processes"
    if astray:
        pid, task, one = astray[0]
        detail = f"{len(astray)} of {detail}; first: pid {pid} thread {task} on {one}"
    return Check(name, "cpus", not astray, str(planned), str(union), detail)


def cpuset(name: str, planned: CpuSet, effective: CpuSet | None) -> Check:
    """AllowedCPUs= is in force, which systemd does not promise: it starts the unit either way."""
    if effective is None:
        why = "AllowedCPUs= is silently ignored: cpuset is not on cgroup v2 (v1 or hybrid host)"
        return Check(name, "cpuset", False, str(planned), "none", why)
    return Check(name, "cpuset", effective == planned, str(planned), str(effective))


def memory_policy(name: str, expected: Expectation, maps: Mapping[int, MemoryMap]) -> Check:
    """Every process has the planned policy: the one of most of its mappings.

    Single mappings may have another: engines and drivers place their own by mbind(2).
    """
    nodes = CpuSet.of(expected.memory_nodes)
    wanted = f"{expected.memory_policy}:{nodes}"
    if not maps:
        why = "no numa_maps: the kernel knows no NUMA"
        return Check(name, "memory-policy", None, wanted, "unknown", why)
    found = {pid: _policy(one) for pid, one in maps.items() if one.policies}
    wrong = {pid: one for pid, one in found.items() if one != wanted}
    detail = f"{len(found)} processes" + (f"; pid {min(wrong)} differs" if wrong else "")
    actual = ", ".join(sorted(set(found.values()))) or "no mappings"
    return Check(name, "memory-policy", bool(found) and not wrong, wanted, actual, detail)


def _policy(one: MemoryMap) -> str:
    word = max(sorted(one.policies), key=lambda policy: one.policies[policy])
    kind, nodes = parse_policy(word)
    return f"{kind}:{CpuSet.of(nodes)}" if nodes else kind


def memory(name: str, expected: Expectation, maps: Mapping[int, MemoryMap]) -> Check:
    """Anonymous memory by node. `bind` promises it; with `preferred` the kernel may fall back."""
    by_node: dict[int, float] = {}
    for one in maps.values():
        for node, mib in one.anonymous_mib.items():
            by_node[node] = by_node.get(node, 0) + mib
    total = sum(by_node.values())
    nodes = CpuSet.of(expected.memory_nodes)
    wanted = f"on node {nodes}"
    if not total:
        return Check(name, "memory", None, wanted, "unknown", "numa_maps tells no anonymous page")
    share = sum(mib for node, mib in by_node.items() if node in nodes) / total
    actual = f"{share * 100:.1f} % of {total:.0f} MiB"
    each = ", ".join(f"node {node}: {by_node[node]:.0f} MiB" for node in sorted(by_node))
    if share >= _SHARE:
        return Check(name, "memory", True, wanted, actual, each)
    bound = expected.memory_policy == "bind"
    why = "" if bound else "warning: the node was full when these pages were asked for; "
    return Check(name, "memory", False if bound else None, wanted, actual, why + each)


def environment(instance: Instance, found: Mapping[str, str] | None) -> Check:
    """The live process was started with the environment that was applied."""
    wanted = {**instance.expectation.environment, "PROVISION_DIGEST": instance.digest}
    shown = f"{len(wanted)} variables"
    if found is None:
        why = "the process is gone or may not be read"
        return Check(instance.name, "environment", None, shown, "unknown", why)
    differing = _differing(wanted, found)
    if not differing:
        return Check(instance.name, "environment", True, shown, "as planned")
    return Check(instance.name, "environment", False, shown, "; ".join(differing))


def _differing(wanted: Mapping[str, str], found: Mapping[str, str]) -> Sequence[str]:
    """`A is 1, not 2` for each; values of ours are no secrets, those stand in no Expectation."""
    lines: list[str] = []
    for key, value in sorted(wanted.items()):
        if key not in found:
            lines.append(f"{key} is missing")
        elif found[key] != value:
            lines.append(f"{key} is {found[key]:.60}, not {value:.60}")
    return lines

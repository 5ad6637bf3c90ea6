"""The machine around the cards: memory, nodes, system."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import (
    CgroupLimits,
    EngineFound,
    HugePages,
    Kernel,
    Limits,
    MemoryNow,
    Nic,
    NumaNode,
)
from provision.host.quantity import CpuSet, PciAddress

from .machines import Box, box, two_sockets

L40S = "NVIDIA L40S"


def test_swap_is_told_when_memory_is_short_only() -> None:
    short = MemoryNow(available_mib=9000, swap_used_mib=4096)
    assert box().volatile_with(memory=short).told() == [("warning", "swap-risk")]
    for fine in (
        replace(short, available_mib=90000),
        replace(short, swap_used_mib=200),
        replace(short, available_mib=None),
        MemoryNow(),
    ):
        assert box().volatile_with(memory=fine).told() == []


def test_strict_overcommit() -> None:
    strict = box().stable_with(kernel=Kernel(overcommit_memory=2))
    low = strict.volatile_with(memory=MemoryNow(commit_limit_mib=139264))
    assert low.told() == [("warning", "overcommit")]
    assert "CommitLimit is 136 GiB of 256 GiB" in low.one("overcommit").evidence
    assert strict.has("overcommit")
    assert not strict.volatile_with(memory=MemoryNow(commit_limit_mib=300000)).has("overcommit")
    assert not box().stable_with(kernel=Kernel(overcommit_memory=1)).has("overcommit")


def test_memory_set_aside_as_huge_pages() -> None:
    def kept(count: int) -> Box:
        pages = (HugePages(2048, 0), HugePages(1048576, count))
        return box().stable_with(
            numa_nodes=(NumaNode(0, CpuSet.parse("0-15"), 262144, {}, 0, pages),)
        )

    assert kept(128).told() == [("note", "huge-pages")]
    assert "128 GiB of 256 GiB" in kept(128).one("huge-pages").evidence
    assert kept(16).told() == []


def test_small_shared_memory() -> None:
    small = box(L40S, L40S).stable_with(limits=Limits(shm_mib=64))
    assert small.told() == [("warning", "shm-small")]
    assert "--shm-size" in (small.system_with(container="docker").one("shm-small").remedy or "")
    assert not box(L40S).stable_with(limits=Limits(shm_mib=64)).has("shm-small")
    assert not box(L40S, L40S).stable_with(limits=Limits()).has("shm-small")


def test_limits_of_open_files() -> None:
    low = box().stable_with(limits=Limits(nofile=1024, nofile_hard=4096))
    assert low.told() == [("note", "nofile-small")]
    assert box().stable_with(limits=Limits(nofile=1024, nofile_hard=-1)).told() == []
    assert box().stable_with(limits=Limits(open_files=8192)).has("nofile-small")


@pytest.mark.parametrize(("limit", "told"), [(64, True), (0, True), (8192, False), (-1, False)])
def test_locked_memory_is_told_where_it_is_as_small_as_it_once_was(limit: int, told: bool) -> None:
    card = Nic(PciAddress(0, 9, 0, 0), "15b3", "1021", "0200", rdma=("mlx5_0", "mlx5_1"))
    machine = box(L40S).stable_with(nics=(card,), limits=Limits(memlock_kib=limit))
    assert machine.told() == ([("note", "memlock-small")] if told else [])
    assert machine.stable_with(nics=()).told() == []
    if told:
        evidence = machine.one("memlock-small").evidence
        assert f"lock {limit} KiB" in evidence
        assert "(mlx5_0 and mlx5_1)" in evidence


def test_numa_balancing_counts_with_pins() -> None:
    machine = two_sockets(box()).system_with(numa_balancing=1)
    assert machine.told() == [("note", "numa-balancing")]
    assert machine.asked(pins=True).told() == [("warning", "numa-balancing")]
    assert machine.asked(pins=False).told() == []
    assert machine.system_with(numa_balancing=2).told() == []
    assert box().system_with(numa_balancing=1).told() == []


def test_firmware_that_contradicts_itself() -> None:
    machine = box().saw(numa_problem="CPU 3 is in nodes 0 and 1")
    assert machine.told() == [("warning", "numa-invalid")]
    assert "CPU 3" in machine.one("numa-invalid").evidence
    assert box().told() == []


def test_memory_of_the_nodes() -> None:
    machine = two_sockets(box(L40S, nodes=[1]))
    nodes = machine.stable.numa_nodes
    empty = machine.stable_with(numa_nodes=(nodes[0], replace(nodes[1], memory_mib=0)))
    assert empty.told() == [("warning", "numa-memory")]
    assert "node 1 has CPUs and no memory, next to GPU 0" in empty.one("numa-memory").evidence
    uneven = machine.stable_with(numa_nodes=(nodes[0], replace(nodes[1], memory_mib=65536)))
    assert uneven.told() == [("note", "numa-memory")]
    assert "node 0 128 GiB, node 1 64 GiB" in uneven.one("numa-memory").evidence
    unknown = machine.stable_with(numa_nodes=(nodes[0], replace(nodes[1], memory_mib=None)))
    assert unknown.told() == []
    far = NumaNode(2, CpuSet(), memory_mib=4096)
    assert machine.stable_with(numa_nodes=(*nodes, far)).told() == []


def test_zone_reclaim() -> None:
    kernel = Kernel(zone_reclaim_mode=1)
    assert two_sockets(box()).stable_with(kernel=kernel).told() == [("warning", "zone-reclaim")]
    assert box().stable_with(kernel=kernel).told() == []


def test_cpus_that_are_off_or_kept_apart() -> None:
    machine = box()
    cpu = replace(machine.stable.cpu, offline=CpuSet.parse("14-15"))
    assert machine.stable_with(cpu=cpu).told() == [("note", "cpu-offline")]
    remedy = machine.stable_with(cpu=cpu).one("cpu-offline").remedy
    assert remedy == "chcpu -e 14-15, if it is not meant"
    single = tuple(CpuSet.of((one,)) for one in range(16))
    no_smt = replace(cpu, offline=CpuSet.parse("16-31"), cores=single)
    assert machine.stable_with(cpu=no_smt).told() == []
    kept = replace(machine.stable.cpu, isolated=CpuSet.parse("8-15"), allowed=CpuSet.parse("0-7"))
    assert machine.stable_with(cpu=kept).told() == [("note", "cpu-isolated")]
    assert machine.stable_with(cpu=replace(kept, isolated=CpuSet())).told() == [
        ("note", "cgroup-limits")
    ]


def test_vllm_without_numactl() -> None:
    engines = (EngineFound("vllm", "/opt/v/bin/vllm"),)
    machine = two_sockets(box()).stable_with(engines=engines).system_with(numactl=None)
    assert machine.told() == [("note", "numactl-missing")]
    assert machine.system_with(numactl="/usr/bin/numactl").told() == []
    assert box().stable_with(engines=engines).system_with(numactl=None).told() == []


@pytest.mark.parametrize("version", ["v1", "hybrid"])
def test_old_control_groups(version: str) -> None:
    machine = box().system_with(cgroup=version)
    assert machine.told() == [("warning", "cgroup-version")]
    assert machine.system_with(container="lxc").told() == [("note", "cgroup-version")]
    assert box().system_with(cgroup=None).told() == []


def test_limits_of_our_own_control_group() -> None:
    group = CgroupLimits("/user.slice", CpuSet.parse("0-3"), CpuSet.parse("0"), 2.0, 8192)
    finding = two_sockets(box()).stable_with(cgroup=group).one("cgroup-limits")
    assert "CPUs 0-3 of 0-15" in finding.evidence
    assert "memory of nodes 0 of 0-1" in finding.evidence
    assert "2 CPUs' worth of time" in finding.evidence
    assert "8 GiB of 256 GiB memory" in finding.evidence
    wide = CgroupLimits("/", CpuSet.parse("0-15"), CpuSet.parse("0-1"), 16.0, 1 << 40)
    assert two_sockets(box()).stable_with(cgroup=wide).told() == []


def test_old_systemd_and_no_python() -> None:
    assert box().system_with(systemd=245).told() == [("warning", "systemd-old")]
    assert box().system_with(systemd=249).told() == []
    assert box().system_with(python=None).told() == [("warning", "python-missing")]
    assert box().system_with(python=None, systemd=None).told() == []

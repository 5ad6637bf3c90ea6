from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import CgroupLimits
from provision.host.inspect.processor.cgroup import (
    Hierarchy,
    cgroup_mounts,
    cpu_quota,
    memory_limit_mib,
    read_cgroup_limits,
)
from provision.host.quantity import CpuSet

from .tree import Machine

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def _host(root: Path, cgroup: str, mountinfo: str) -> Machine:
    machine = Machine(root)
    machine.file("/proc/self/cgroup", cgroup)
    machine.file("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mountinfo)
    machine.file("/sys/devices/system/cpu/online", "0-15\n")
    machine.file("/sys/devices/system/node/online", "0-1\n")
    return machine


def test_v2_takes_the_tightest_of_all_ancestors(tmp_path: Path) -> None:
    machine = _host(tmp_path, "0::/llm.slice/chat.service/main\n", V2_MOUNT)
    base = "/sys/fs/cgroup"
    machine.file(f"{base}/cpuset.cpus.effective", "0-15\n")
    machine.file(f"{base}/llm.slice/cpuset.cpus.effective", "0-7\n")
    machine.file(f"{base}/llm.slice/cpuset.mems.effective", "0\n")
    machine.file(f"{base}/llm.slice/memory.max", f"{64 << 30}\n")
    machine.file(f"{base}/llm.slice/cpu.max", "max 100000\n")
    machine.file(f"{base}/llm.slice/chat.service/memory.max", "max\n")
    machine.file(f"{base}/llm.slice/chat.service/cpu.max", "350000 100000\n")
    machine.file(f"{base}/llm.slice/chat.service/main/memory.max", f"{128 << 30}\n")
    machine.file(f"{base}/llm.slice/chat.service/main/cpu.max", "800000 100000\n")
    assert read_cgroup_limits(machine.tree) == CgroupLimits(
        path="/llm.slice/chat.service/main",
        cpus=CpuSet.parse("0-7"),
        nodes=CpuSet.of((0,)),
        cpu_quota=3.5,
        memory_mib=65536,
    )


def test_a_set_of_everything_is_no_limit(tmp_path: Path) -> None:
    machine = _host(tmp_path, "0::/user.slice\n", V2_MOUNT)
    machine.file("/sys/fs/cgroup/user.slice/cpuset.cpus.effective", "0-15\n")
    machine.file("/sys/fs/cgroup/user.slice/cpuset.mems.effective", "0-1\n")
    machine.file("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n")
    assert read_cgroup_limits(machine.tree) == CgroupLimits(path="/user.slice")


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/", "/"),  # a cgroup namespace: the mount's root is the container's own group
        ("/system.slice/docker-12.scope", "/system.slice/docker-12.scope"),  # none
        ("/../../other", "/"),  # a process that was moved in from outside
        ("/init.scope", "/.."),  # a mount from outside of the namespace
    ],
)
def test_in_a_container_the_mount_shows_a_part(tmp_path: Path, path: str, root: str) -> None:
    machine = _host(
        tmp_path, f"0::{path}\n", f"30 23 0:26 {root} /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    )
    machine.file("/sys/fs/cgroup/cpuset.cpus.effective", "4-5\n")
    machine.file("/sys/fs/cgroup/memory.max", f"{8 << 30}\n")
    limits = read_cgroup_limits(machine.tree)
    assert (str(limits.cpus), limits.memory_mib) == ("4-5", 8192)


V1_MOUNTS = """\
31 22 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V1_GROUPS = """\
5:cpuset:/batch
4:memory:/user.slice/session-1.scope
3:cpu,cpuacct:/user.slice
1:name=systemd:/user.slice/session-1.scope
0::/user.slice/session-1.scope
"""


def test_v1_controllers_each_with_a_path_and_a_mount_of_its_own(tmp_path: Path) -> None:
    machine = _host(tmp_path, V1_GROUPS, V1_MOUNTS)
    base = "/sys/fs/cgroup"
    machine.file(f"{base}/cpuset/batch/cpuset.cpus", "8-11\n")
    machine.file(f"{base}/cpuset/batch/cpuset.mems", "1\n")
    machine.file(f"{base}/cpuset/batch/cpuset.effective_cpus", "8-9\n")  # two are offline
    machine.file(f"{base}/cpu,cpuacct/user.slice/cpu.cfs_quota_us", "50000\n")
    machine.file(f"{base}/cpu,cpuacct/user.slice/cpu.cfs_period_us", "100000\n")
    machine.file(f"{base}/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    machine.file(f"{base}/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    machine.file(
        f"{base}/memory/user.slice/session-1.scope/memory.limit_in_bytes",
        "9223372036854771712\n",
    )
    machine.file(f"{base}/memory/user.slice/memory.limit_in_bytes", f"{16 << 30}\n")
    assert read_cgroup_limits(machine.tree) == CgroupLimits(
        path="/user.slice/session-1.scope",
        cpus=CpuSet.parse("8-9"),
        nodes=CpuSet.of((1,)),
        cpu_quota=0.5,
        memory_mib=16384,
    )


def test_without_mountinfo_the_usual_places(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/self/cgroup", "0::/a\n")
    machine.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory\n")
    machine.file("/sys/fs/cgroup/a/memory.max", f"{1 << 30}\n")
    assert read_cgroup_limits(machine.tree) == CgroupLimits(path="/a", memory_mib=1024)


def test_nothing_told_is_nothing_known(tmp_path: Path) -> None:
    assert read_cgroup_limits(Machine(tmp_path).tree) == CgroupLimits()
    machine = _host(tmp_path, "rubbish\n\0\n9:cpu\n", "x - cgroup2\n- - -\n" + V2_MOUNT)
    assert read_cgroup_limits(machine.tree) == CgroupLimits()


def test_the_usual_mount_wins_over_another_view_of_it() -> None:
    odd = "50 22 0:26 / /host/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    assert cgroup_mounts(odd + V2_MOUNT)[""] == ("/sys/fs/cgroup", "/")
    assert cgroup_mounts(V2_MOUNT + odd)[""] == ("/sys/fs/cgroup", "/")
    spaced = "50 22 0:26 /a\\040b /mnt\\040x rw - cgroup cgroup rw,memory\n"
    assert cgroup_mounts(spaced)["memory"] == ("/mnt x", "/a b")


def test_the_way_up() -> None:
    assert list(Hierarchy("/a/b", "/m").folders()) == ["/m/a/b", "/m/a", "/m"]
    assert list(Hierarchy("/a/b", "/m", "/a").folders()) == ["/m/b", "/m"]
    assert list(Hierarchy("/x", "/m", "/a").folders()) == ["/m"]
    assert len(list(Hierarchy("/x" * 5000, "/m").folders())) < 100


def test_limits_that_are_none() -> None:
    assert cpu_quota("max 100000") is None
    assert cpu_quota("-1 100000") is None
    assert cpu_quota("100000 0") is None
    assert cpu_quota("100000 ") is None
    assert memory_limit_mib("max") is None
    assert memory_limit_mib("9" * 30) is None
    assert memory_limit_mib("0") == 0

"""The two-node machine: it is what it is meant to be, inspection says so, and a recording of it
tells the same facts elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.host.document import from_plain
from provision.host.facts import Facts
from provision.host.inspect.recording.record import replay

from .machine import CHECKOUT, VmHost, install_nvml
from .testbed.vm import Vm

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def host(vm: Vm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmHost]:
    vm.install(CHECKOUT)
    install_nvml(vm.shell, tmp_path_factory.mktemp("nvml"))
    yield VmHost(vm)


@pytest.fixture(scope="module")
def facts(host: VmHost) -> Facts:
    return from_plain(Facts, json.loads(host.run("provision inspect --json")))


def test_cpus_and_nodes_are_what_lscpu_says(host: VmHost, facts: Facts) -> None:
    said = json.loads(host.run("lscpu --json --extended=CPU,NODE,SOCKET,CORE"))["cpus"]
    nodes = {cpu: node.id for node in facts.stable.numa_nodes for cpu in node.cpus}
    assert nodes == {int(one["cpu"]): int(one["node"]) for one in said}
    assert facts.stable.cpu.sockets == len({one["socket"] for one in said}) == 2
    assert len(facts.stable.cpu.cores) == len({one["core"] for one in said})
    distances = [dict(node.distances) for node in facts.stable.numa_nodes]
    assert distances == [{0: 10, 1: 21}, {0: 21, 1: 10}]
    mib = [int(word) for word in host.run("numactl --hardware | awk '/size:/ {print $4}'").split()]
    assert [node.memory_mib for node in facts.stable.numa_nodes] == mib


def test_accelerators_sit_where_the_machine_was_built_with_them(facts: Facts) -> None:
    stable = facts.stable
    assert [one.numa_node for one in stable.accelerators] == [0, 0, 1, 1]
    assert [one.root for one in stable.accelerators] == [
        "pci0000:20",
        "pci0000:20",
        "pci0000:40",
        "pci0000:40",
    ]
    ports = {bridge.address: bridge for bridge in stable.bridges}
    above = [ports[one.bridges[-1]] for one in stable.accelerators]
    assert [one.kind for one in above] == ["root-port"] * 4
    assert [one.link.width_max if one.link else None for one in above] == [16, 16, 16, 8]
    assert [gpu.numa_node for gpu in stable.gpus] == [0, 0, 1, 1]
    cards = [one.address for one in stable.accelerators]
    paths = {(cards.index(one.a), cards.index(one.b)): one.path for one in stable.pci_paths
             if one.a in cards and one.b in cards}  # fmt: skip
    assert paths == {(0, 1): "PHB", (2, 3): "PHB", (0, 2): "SYS", (0, 3): "SYS",
                     (1, 2): "SYS", (1, 3): "SYS"}  # fmt: skip
    assert len(stable.nics) == 1 and stable.nics[0].interfaces


def test_system_facts_are_the_machines_own(host: VmHost, facts: Facts) -> None:
    stable = facts.stable
    assert stable.system.virtual_machine == host.run("systemd-detect-virt --vm || true").strip()
    assert stable.system.kernel == host.run("uname -r").strip()
    limit = host.run("systemctl show -p DefaultLimitNOFILE --value").strip()
    assert stable.limits.nofile_hard == int(limit)
    shm = int(host.run("df -B1 --output=size /dev/shm | tail -1"))
    assert stable.limits.shm_mib == shm >> 20
    ssh = [one for one in facts.volatile.listeners if one.port == 22]
    assert {one.unit for one in ssh} <= {"ssh.service", "ssh.socket"} and ssh


def test_findings_are_true(facts: Facts) -> None:
    """A virtual machine of unlike slots: nothing but what its owner would want to know."""
    assert not [one for one in facts.findings if one.severity == "error"], facts.findings


def test_a_recording_tells_the_same_elsewhere(host: VmHost, tmp_path: Path) -> None:
    name = "/root/redacted.tar.xz"
    host.run(f"provision inspect --record {name} --redact")
    archive = tmp_path / "host.tar.xz"
    host.vm.get(name, archive)
    found = replay(archive)
    there: Any = json.loads(host.run(f"provision inspect --replay {name} --json"))
    assert found == from_plain(Facts, there)
    assert [gpu.numa_node for gpu in found.stable.gpus] == [0, 0, 1, 1]
    assert found.stable.system.hostname != host.run("hostname").strip()


def test_vm_has_two_nodes_with_distances(vm: Vm) -> None:
    said = vm.ssh("cd /sys/devices/system/node; cat node*/cpulist node*/distance").stdout
    assert said.split("\n")[:4] == ["0-1", "2-3", "10 21", "21 10"]
    packages = vm.ssh("cat /sys/devices/system/cpu/cpu*/topology/physical_package_id").stdout
    assert packages.split() == ["0", "0", "1", "1"]


def test_vm_has_gpus_on_both_nodes(vm: Vm) -> None:
    said = vm.ssh(
        "for d in /sys/bus/pci/devices/*; do"
        " [ $(cat $d/vendor) = 0x10de ] && cat $d/device $d/class $d/numa_node | paste -sd' ';"
        " done; true"
    ).stdout
    assert said.splitlines() == [f"0x2330 0x030200 {node}" for node in (0, 0, 1, 1)]


def test_vm_applies_cpuset_and_memory_policy(vm: Vm) -> None:
    assert vm.ssh("stat -fc %T /sys/fs/cgroup").stdout.strip() == "cgroup2fs"
    pins = "-p AllowedCPUs=2-3 -p AllowedMemoryNodes=1 -p NUMAPolicy=bind -p NUMAMask=1"
    said = vm.ssh(
        f"systemd-run --wait --pipe -q {pins} sh -c"
        " 'grep -E _allowed_list: /proc/self/status; head -1 /proc/self/numa_maps'"
    ).stdout
    assert "Cpus_allowed_list:\t2-3\nMems_allowed_list:\t1\n" in said
    assert " bind:1" in said


def test_vm_files_go_there_and_back(vm: Vm, tmp_path: Path) -> None:
    (tmp_path / "there" / "deep").mkdir(parents=True)
    (tmp_path / "there" / "deep" / "file").write_text("text\n")
    (tmp_path / "there" / "deep" / "file").chmod(0o640)
    vm.put(tmp_path / "there", "/root/new/place")
    assert vm.ssh("stat -c '%a %U' /root/new/place/deep/file").stdout == "640 root\n"
    vm.get("/root/new/place", tmp_path / "back")
    assert (tmp_path / "back" / "deep" / "file").read_text() == "text\n"
    assert vm.ssh("cat; exit 3", check=False, input="said").stdout == "said"

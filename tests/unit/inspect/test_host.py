"""inspect() as a whole: on recorded trees, on this very machine, with and without a driver."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from provision.host.document import dumps, loads
from provision.host.facts import (
    Facts,
    InspectRequest,
    NumaNode,
    PathFound,
    Stable,
    Volatile,
)
from provision.host.inspect import inspect
from provision.host.inspect.nvidia.driver import module_version
from tests.standin.build import table_text, uuid_of

from .driver import Driver
from .tree import Machine, two_sockets

H100 = ("030200", "10de", "2330")


def test_an_empty_tree(tmp_path: Path) -> None:
    facts = inspect(InspectRequest(paths=("/x",), venvs=("/v",), binaries=("/b",)), tmp_path)
    assert facts.findings == ()
    assert [node.id for node in facts.stable.numa_nodes] == [0]
    assert facts.volatile == Volatile()
    empty = Stable(facts.stable.system, numa_nodes=(NumaNode(0),), paths=(PathFound("/x"),))
    assert facts.stable == empty


def test_a_good_machine_is_quiet_and_its_facts_round_trip(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.file("/proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    machine.file("/proc/sys/kernel/numa_balancing", "0\n")
    machine.file(
        "/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 2025\nGCC: x\n",
    )
    machine.pci("pci0000:00/0000:01:00.0", H100, numa_node=1, driver="nvidia")
    facts = inspect(InspectRequest(), tmp_path)
    assert facts.findings == ()
    assert [driver.module for driver in facts.stable.drivers] == ["580.95.05"]
    assert [device.numa_node for device in facts.stable.accelerators] == [1]
    assert loads(Facts, dumps(facts)) == facts
    assert dumps(inspect(InspectRequest(), tmp_path)) == dumps(facts)


def test_findings_of_a_bad_machine(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.cpus("0-7", {}, {})
    machine.node(0, "0-7", 100, "10 20")
    machine.node(1, "0-7", 100, "20 10")
    machine.file("/proc/self/mounts", "cgroup /sys/fs/cgroup/cpuset cgroup rw 0 0\n")
    machine.file("/var/lib/provision/state.json", "{")
    machine.pci("pci0000:00/0000:01:00.0", H100, driver="nouveau")
    facts = inspect(InspectRequest(), tmp_path)
    assert [one.rule for one in facts.findings] == [
        "gpu-nouveau",
        "cgroup-version",
        "numa-invalid",
        "state-unreadable",
    ]
    assert "0000:01:00.0" in facts.findings[0].message
    assert [one.severity for one in facts.findings] == ["error", *["warning"] * 3]


def test_numa_balancing_is_a_note_on_machines_of_several_nodes(tmp_path: Path) -> None:
    machine = two_sockets(tmp_path)
    machine.file("/proc/sys/kernel/numa_balancing", "1\n")
    (finding,) = inspect(InspectRequest(), tmp_path).findings
    assert (finding.rule, finding.severity) == ("numa-balancing", "note")


def _check_live(facts: Facts) -> None:
    assert facts.stable.system.hostname == os.uname().nodename
    assert len(facts.stable.cpu.online) >= 1
    assert sum(len(core) for core in facts.stable.cpu.cores) == len(facts.stable.cpu.online)
    assert facts.stable.numa_nodes
    assert facts.stable.system.memory_mib
    assert loads(Facts, dumps(facts)) == facts


def test_this_machine() -> None:
    _check_live(inspect(InspectRequest(paths=("/etc/passwd",))))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_this_machine_as_nobody(tmp_path: Path) -> None:
    # Started by root and lowered afterwards: nobody may not read the folder this test runs from.
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from provision.host.document import dumps\n"
        "from provision.host.facts import InspectRequest\n"
        "from provision.host.inspect import inspect\n"
        "import encodings.idna, pynvml, ipaddress, csv\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(dumps(inspect(InspectRequest(paths=(sys.argv[1],)))))\n"
    )
    secret = tmp_path / "key"
    secret.write_text("x")
    secret.chmod(0o600)
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(secret)], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    facts = loads(Facts, ran.stdout)
    _check_live(facts)
    assert facts.stable.paths[0].readable is not True


def test_gpus_of_the_stand_in_with_their_processes(driver: Driver) -> None:
    bus = "0000:fe:1f.0"
    table = table_text((bus,), more=[f"process\tgpu=0\tpid={os.getpid()}\tmemory_mib=10"])
    facts = driver.inspect(table)
    assert [gpu.uuid for gpu in facts.stable.gpus] == [uuid_of(bus)]
    assert facts.stable.drivers[0].version == "580.95.05"
    (process,) = facts.volatile.gpu_processes
    assert (process.gpu, process.pid, process.memory_mib) == (uuid_of(bus), os.getpid(), 10)
    assert process.program == Path("/proc/self/comm").read_text().strip()


def test_without_gpu_and_driver_nothing_is_said_of_nvidia(driver: Driver) -> None:
    facts = driver.inspect(None)
    if facts.stable.accelerators:
        pytest.skip("this machine has a GPU")
    assert facts.stable.drivers == ()
    assert not [one for one in facts.findings if one.rule.startswith("gpu")]


def test_module_versions() -> None:
    open_module = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57  Release Build\n"
    assert module_version(open_module) == "575.57"
    assert module_version("") is None

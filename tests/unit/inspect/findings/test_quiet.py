"""Good machines: nothing is said of them, or only notes that are true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import (
    Cpu,
    Driver,
    Finding,
    InspectRequest,
    LinkNow,
    Nic,
    PciBridge,
    PciDevice,
    PcieLink,
    Stable,
    System,
    UnitNow,
    Volatile,
)
from provision.host.inspect.findings import Observed, findings
from provision.host.quantity import CpuSet, PciAddress

from .machines import Box, at, box, nvlinked, port_of, two_sockets

RTX_3090 = "NVIDIA GeForce RTX 3090"


def desktop_board() -> Box:
    """2x3090 with a bridge on a desktop board that splits its 16 lanes in two."""
    machine = nvlinked(box(RTX_3090, RTX_3090), 4)
    for number in range(2):
        machine = machine.link_with(number, width=8).port_with(number, width=8, width_max=8)
    return machine.volatile_with(links=tuple(LinkNow(at(number), 2.5) for number in range(2)))


def dgx_h100() -> Box:
    machine = two_sockets(
        box(*["NVIDIA H100 80GB HBM3"] * 8, memory_mib=81559, speed=32.0, nodes=[0] * 4 + [1] * 4)
    )
    machine = nvlinked(machine, 18, "switch")
    switch = PciDevice(PciAddress(0, 7, 0, 0), "10de", "22a3", "0680")
    return (
        machine.gpu_with(*range(8), nvlink_fabric="completed", ecc=True, ecc_pending=True)
        .stable_with(nvswitches=(switch,))
        .volatile_with(units=(UnitNow("nvidia-fabricmanager.service", "active", "enabled"),))
    )


def dgx_h100_with_nic() -> Box:
    """As installed: services may lock 8 MiB, which nobody has to raise for our units."""
    nic = Nic(
        PciAddress(0, 200, 0, 0),
        "15b3",
        "1021",
        "0207",
        rdma=("mlx5_0",),
        link=PcieLink(32.0, 16, 16),
        bridges=(port_of(30),),
    )
    port = PciBridge(port_of(30), link=PcieLink(32.0, 16, 16))
    machine = dgx_h100()
    return machine.stable_with(nics=(nic,), bridges=(*machine.stable.bridges, port))


def dgx_spark() -> Box:
    """GB10: its PCIe link shows x1 at generation 1 and carries nothing; no memory of its own."""
    machine = box("NVIDIA GB10").gpu_with(
        0, memory_mib=None, integrated=None, power_default_watts=None
    )
    machine = machine.link_with(0, speed_max=32.0, width=1, width_max=16)
    machine = machine.now_with(
        0, utilization_percent=90, power_limit_watts=None, memory_used_mib=None
    )
    return machine.volatile_with(links=(LinkNow(at(0), 2.5),))


def laptop() -> Box:
    """Eight lanes are wired, the driver sleeps when nobody asks."""
    machine = box("NVIDIA GeForce RTX 4090 Laptop GPU").now_with(0, persistence=False)
    machine = machine.link_with(0, width=8).volatile_with(links=(LinkNow(at(0), 2.5),))
    return machine.system_with(numactl=None)


def passthrough() -> Box:
    """A guest: its bridges are made up, and it cannot see the links that the cards really have."""
    machine = box("NVIDIA H100 PCIe", path="PHB", p2p=False, status="CNS").system_with(
        virtual_machine="kvm"
    )
    return machine.link_with(0, speed_max=32.0, width=4).port_with(0, speed_max=2.5, width_max=1)


def no_gpu() -> Box:
    return box()


def container() -> Box:
    """Without GPUs of its own, on a host that has one."""
    machine = box("NVIDIA L40S")
    device = machine.stable.accelerators
    bare = Stable(
        System("c", container="docker", cgroup="v2"),
        accelerators=device,
        drivers=(Driver("nvidia", problem="NVML Shared Library Not Found"),),
    )
    return Box(bare)


def container_with_one_of_two() -> Box:
    """It is shown the whole bus, and given one of the GPUs."""
    machine = box("NVIDIA L40S", "NVIDIA L40S").system_with(container="docker")
    return machine.stable_with(gpus=machine.stable.gpus[:1], gpu_links=()).saw(
        complaints=("GPU 1 of NVML: Insufficient Permissions",)
    )


def recorded() -> Box:
    """A tree of files, where no driver was asked."""
    machine = box("NVIDIA L40S").stable_with(
        gpus=(), gpu_links=(), drivers=(Driver("nvidia", problem="the driver was not asked"),)
    )
    return replace(machine, volatile=Volatile())


@pytest.mark.parametrize(
    "machine",
    [
        desktop_board(),
        dgx_h100(),
        dgx_h100_with_nic(),
        dgx_spark(),
        laptop(),
        passthrough(),
        no_gpu(),
        recorded(),
        container_with_one_of_two(),
    ],
)
def test_nothing_is_said(machine: Box) -> None:
    assert machine.findings() == ()


def test_a_container_without_gpus_is_a_note() -> None:
    (finding,) = container().findings()
    assert (finding.severity, finding.rule) == ("note", "gpu-driver")
    assert "--gpus all" in (finding.remedy or "")


def test_nothing_known_is_nothing_said() -> None:
    assert findings(InspectRequest(), Stable(System("x")), Volatile(), Observed()) == ()


def test_order_is_gravity_rule_subject_whatever_comes_first() -> None:
    record = Finding("state-unreadable", "warning", "a", "b")
    machine = (
        box("NVIDIA L40S", "NVIDIA L40S")
        .now_with(0, 1, persistence=False, throttle=("hw-thermal",))
        .gpu_with(1, compute_mode="prohibited")
        .saw(record_problem=record)
    )
    assert machine.told() == [
        ("error", "compute-mode"),
        ("warning", "state-unreadable"),
        ("warning", "throttling"),
        ("note", "persistence-off"),
    ]
    assert machine.findings() == machine.findings()


def test_no_sentence_ends_with_a_stop_and_all_are_one_line() -> None:
    spoiled = (
        box("NVIDIA L40S", "NVIDIA GeForce RTX 3090")
        .now_with(0, 1, persistence=False, ecc_uncorrected=3, remapping_pending=True)
        .link_with(0, width=4)
        .stable_with(cpu=Cpu(online=CpuSet.parse("0-3"), offline=CpuSet.parse("7")))
        .system_with(cgroup="v1", systemd=245, python=None)
    )
    assert len(spoiled.findings()) >= 8
    for one in spoiled.findings():
        for text in (one.evidence, one.consequence, one.remedy or ""):
            assert not text.endswith(".")
            assert "\n" not in text
            assert "  " not in text

"""NVLink, sockets, peer-to-peer, ACS and the IOMMU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provision.host.facts import Kernel, NvLink, PciBridge, PciDevice, PciPath, UnitNow
from provision.host.quantity import PciAddress

from .machines import Box, at, box, nvlinked, two_sockets, uuid

L40S = "NVIDIA L40S"
H100 = "NVIDIA H100 80GB HBM3"
RTX = "NVIDIA GeForce RTX 3090"


def test_gpus_on_two_sockets() -> None:
    machine = two_sockets(box(*[L40S] * 4, nodes=[0, 0, 1, 1]))
    finding = machine.one("gpus-span-sockets")
    assert finding.severity == "note"
    assert (
        finding.evidence
        == "GPUs 0-1 (NVIDIA L40S) are on socket 0 and GPUs 2-3 (NVIDIA L40S) are on socket 1"
    )
    assert "since no NVLink joins them" in finding.consequence
    one_side = two_sockets(box(*[L40S] * 4, nodes=[1] * 4))
    assert not one_side.has("gpus-span-sockets")
    assert not nvlinked(two_sockets(box(*[H100] * 4, nodes=[0, 0, 1, 1])), 18).findings()


def test_several_nodes_within_one_socket_are_no_span() -> None:
    machine = two_sockets(box(L40S, L40S, nodes=[0, 1]))
    whole = (machine.stable.numa_nodes[0].cpus | machine.stable.numa_nodes[1].cpus,)
    cpu = replace(machine.stable.cpu, packages=whole)
    assert not machine.stable_with(cpu=cpu).has("gpus-span-sockets")
    untold = machine.stable_with(cpu=replace(cpu, packages=())).one("gpus-span-sockets")
    assert "on NUMA node 0" in untold.evidence
    assert not machine.gpu_with(1, numa_node=None).has("gpus-span-sockets")


def test_pairs_bridged_within_sockets_leave_the_span() -> None:
    machine = two_sockets(box(*[RTX] * 4, nodes=[0, 0, 1, 1]))
    links = tuple(
        replace(one, nvlinks=4 if {one.a, one.b} == {uuid(1), uuid(2)} else 0)
        for one in machine.stable.gpu_links
    )
    finding = machine.stable_with(gpu_links=links).one("gpus-span-sockets")
    assert finding.consequence.endswith(", but for the cards that NVLink joins")


def test_pairs_bridged_within_their_sockets() -> None:
    machine = two_sockets(box(*[RTX] * 4, nodes=[0, 0, 1, 1]))
    bridged = ({uuid(0), uuid(1)}, {uuid(2), uuid(3)})
    links = tuple(
        replace(one, nvlinks=4 if {one.a, one.b} in bridged else 0)
        for one in machine.stable.gpu_links
    )
    finding = machine.stable_with(gpu_links=links).one("gpus-span-sockets")
    assert finding.consequence.endswith(", since NVLink joins cards of one socket only")


def test_modules_and_slices_are_no_span() -> None:
    """Of modules whose NVLinks are down nvlink-missing tells, or nvlink-fabric."""
    modules = two_sockets(box(*[H100] * 4, nodes=[0, 0, 1, 1]))
    assert modules.told() == [("warning", "nvlink-missing")]
    waiting = modules.gpu_with(*range(4), nvlink_fabric="in-progress")
    assert waiting.told() == [("error", "nvlink-fabric")]
    assert not modules.stable_with(gpu_links=()).has("gpus-span-sockets")
    sliced = two_sockets(box(*["NVIDIA A30"] * 4, nodes=[0, 0, 1, 1])).gpu_with(*range(4), mig=True)
    assert not sliced.has("gpus-span-sockets")


@pytest.mark.parametrize("state", ["in-progress", "not-started"])
def test_a_fabric_that_is_not_set_up(state: str) -> None:
    machine = nvlinked(box(*[H100] * 8), 18, "switch").gpu_with(*range(8), nvlink_fabric=state)
    finding = machine.one("nvlink-fabric")
    assert (finding.severity, machine.told()) == ("error", [("error", "nvlink-fabric")])
    words = state.replace("-", " ")
    assert finding.evidence == f"the NVLink fabric of GPUs 0-7 ({H100}) is {words}"
    assert "of the driver's very version, 580.95.05, then" in (finding.remedy or "")
    for fine in ("completed", "not-supported", None):
        assert not machine.gpu_with(*range(8), nvlink_fabric=fine).has("nvlink-fabric")


def test_a_fabric_manager_that_does_not_run() -> None:
    switch = PciDevice(PciAddress(0, 7, 0, 0), "10de", "1af1", "0680")
    machine = nvlinked(box(*["NVIDIA A100-SXM4-80GB"] * 8), 12, "switch")
    stopped = machine.stable_with(nvswitches=(switch,)).volatile_with(
        units=(UnitNow("nvidia-fabricmanager.service", "failed", "enabled"),)
    )
    assert stopped.told() == [("error", "nvlink-fabric")]
    assert "nvidia-fabricmanager.service has failed" in stopped.one("nvlink-fabric").evidence
    running = (UnitNow("nvidia-fabricmanager.service", "active", "enabled"),)
    assert stopped.volatile_with(units=running).told() == []


def test_links_that_are_down_on_one_gpu() -> None:
    machine = nvlinked(box(*[H100] * 4), 18, "switch")
    ends = tuple(NvLink(number, number < 12, remote_kind="switch") for number in range(18))
    finding = machine.gpu_with(3, nvlinks=ends).one("nvlink-missing")
    assert finding.severity == "warning"
    assert f"GPU 3 ({H100}, {at(3)}) has 12 of 18 NVLinks up" == finding.evidence
    assert not machine.has("nvlink-missing")
    guest = machine.gpu_with(3, nvlinks=ends).system_with(virtual_machine="kvm")
    assert guest.one("nvlink-missing").severity == "note"


def _down(machine: Box, links: int) -> Box:
    ends = tuple(NvLink(number, False) for number in range(links))
    return machine.gpu_with(*range(len(machine.stable.gpus)), nvlinks=ends)


def test_modules_without_any_link() -> None:
    machine = _down(box(H100, H100), 18)
    finding = machine.one("nvlink-missing")
    assert finding.severity == "warning"
    assert "no NVLink of GPUs 0-1" in finding.evidence
    assert machine.system_with(virtual_machine="kvm").one("nvlink-missing").severity == "note"
    adapters = _down(box(*["Tesla V100-SXM2-32GB"] * 2), 6)
    assert adapters.one("nvlink-missing").severity == "note"
    assert not _down(box(H100), 18).has("nvlink-missing")
    assert not machine.gpu_with(0, 1, mig=True).has("nvlink-missing")
    assert not box(H100, H100, nvlinks=None).has("nvlink-missing")


def test_cards_that_take_a_bridge_and_have_none() -> None:
    finding = _down(box(RTX, RTX), 4).one("nvlink-missing")
    assert finding.severity == "note"
    assert "can be joined in pairs by an NVLink bridge and are not" in finding.evidence
    assert "112 GB/s" in finding.consequence
    assert not box(RTX, RTX, nvlinks=None).has("nvlink-missing")
    assert not _down(box("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"), 0).findings()
    assert not _down(box(RTX, "NVIDIA GeForce RTX 3090 Ti"), 4).has("nvlink-missing")


def test_one_card_left_beside_a_pair_is_quiet() -> None:
    machine = nvlinked(box(RTX, RTX), 4)
    third = box(RTX, RTX, RTX)
    pair = tuple(
        replace(one, nvlinks=4 if one.a == uuid(0) and one.b == uuid(1) else 0)
        for one in third.stable.gpu_links
    )
    odd = third.stable_with(gpus=(*machine.stable.gpus, third.stable.gpus[2]), gpu_links=pair)
    assert not odd.has("nvlink-missing")


@pytest.mark.parametrize("path", ["PIX", "PXB", "PHB"])
def test_peer_to_peer_that_does_not_work(path: str) -> None:
    machine = box(L40S, L40S, path=path, p2p=False, status="CNS")  # type: ignore[arg-type]
    finding = machine.one("p2p-off")
    assert finding.severity == "warning"
    assert "1 pair of GPUs 0-1 (NVIDIA L40S) (status CNS)" in finding.evidence
    assert "ACS" in (finding.remedy or "")


def test_peer_to_peer_that_nobody_promised() -> None:
    assert not box(*["NVIDIA GeForce RTX 4090"] * 2, p2p=False, status="GNS").findings()
    assert not box(L40S, L40S, path="SYS", p2p=False, status="CNS").has("p2p-off")
    assert not box(L40S, "NVIDIA L4", p2p=False, status="CNS").has("p2p-off")
    assert not box(L40S, L40S, p2p=True, status="OK").has("p2p-off")
    assert not box(L40S, L40S, p2p=None).has("p2p-off")
    guest = box(L40S, L40S, p2p=False, status="CNS").system_with(virtual_machine="kvm")
    assert not guest.has("p2p-off")
    slices = box(L40S, L40S, p2p=False, status="NS").gpu_with(0, mig=True)
    assert not slices.has("p2p-off")


def test_a_bridge_without_peer_to_peer_and_a_setting_that_forbids_it() -> None:
    bridged = nvlinked(box(RTX, RTX), 4)
    links = tuple(replace(one, p2p=False, p2p_status="NS") for one in bridged.stable.gpu_links)
    assert bridged.stable_with(gpu_links=links).has("p2p-off")
    off = box(RTX, RTX, p2p=False, status="DR").one("p2p-off")
    assert "RegistryDwords" in (off.remedy or "")


def _port(bus: int, device: int, redirects: bool = True) -> PciBridge:
    kind: Any = "root-port" if bus == 0 else "downstream"
    return PciBridge(PciAddress(0, bus, device, 0), kind=kind, acs_redirect=redirects)


def _redirected(*names: str, **fields: Any) -> Box:
    """Two cards below a switch of its own root port, all ports of which redirect."""
    machine = box(*names, path="PIX", **fields)
    root, up = _port(0, 1), PciBridge(PciAddress(0, 1, 0, 0), kind="upstream", acs_redirect=False)
    down = (_port(2, 0), _port(2, 1), _port(2, 2))
    devices = tuple(
        replace(one, bridges=(root.address, up.address, port.address))
        for one, port in zip(machine.stable.accelerators, down, strict=False)
    )
    return machine.stable_with(
        accelerators=devices,
        bridges=(root, up, *down),
        pci_paths=(PciPath(at(0), at(1), "PIX", acs_redirect=True),),
    )


def test_acs_that_redirects_traffic_between_two_gpus() -> None:
    machine = _redirected(L40S, L40S)
    finding = machine.one("acs-redirect")
    assert finding.severity == "warning"
    # Neither the root port, which the way does not reach, nor a port that leads elsewhere.
    assert "(switch ports 0000:02:00.0 and 0000:02:01.0)" in finding.evidence
    assert finding.subjects == (uuid(0), uuid(1), "0000:02:00.0", "0000:02:01.0")
    loop = "for port in 0000:02:00.0 0000:02:01.0; do setpci -s $port ECAP_ACS+6.w=0; done"
    assert loop in (finding.remedy or "")
    assert not nvlinked(machine, 4).has("acs-redirect")
    assert not _redirected(RTX, RTX, p2p=False, status="GNS").has("acs-redirect")
    straight = machine.stable_with(pci_paths=(PciPath(at(0), at(1), "PIX", acs_redirect=False),))
    assert not straight.has("acs-redirect")
    over_root = machine.stable_with(pci_paths=(PciPath(at(0), at(1), "PHB", acs_redirect=True),))
    assert not over_root.has("acs-redirect")


def test_acs_where_the_way_turns_at_an_upper_switch() -> None:
    """Of two switches below a third the ports of the third decide."""
    machine = _redirected(L40S, L40S)
    top, lower = (_port(2, 0), _port(2, 1)), (_port(4, 0), _port(5, 0))
    devices = tuple(
        replace(one, bridges=(*one.bridges[:2], top[at_].address, lower[at_].address))
        for at_, one in enumerate(machine.stable.accelerators)
    )
    cascaded = machine.stable_with(
        accelerators=devices, bridges=(*machine.stable.bridges[:2], *top, *lower)
    )
    assert cascaded.one("acs-redirect").subjects[2:] == ("0000:02:00.0", "0000:02:01.0")


def test_an_iommu_that_translates() -> None:
    def translated(machine: Box) -> Box:
        return machine.stable_with(kernel=Kernel(iommu="translated"))

    assert translated(box(L40S, L40S)).told() == [("note", "iommu-translated")]
    assert "add iommu=pt to" in (translated(box(L40S, L40S)).one("iommu-translated").remedy or "")
    arm = translated(box(L40S, L40S)).system_with(architecture="aarch64").one("iommu-translated")
    assert "add iommu.passthrough=1 to" in (arm.remedy or "")
    assert translated(box(L40S)).told() == []
    assert translated(box(*["NVIDIA GeForce RTX 4090"] * 2, p2p=False)).told() == []
    assert translated(nvlinked(box(H100, H100), 18)).told() == []
    assert translated(box(L40S, L40S)).system_with(virtual_machine="kvm").told() == []
    assert box(L40S, L40S).told() == []

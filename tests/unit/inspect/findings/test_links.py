"""PCIe links: where lanes and generations are lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import Driver, Gpu, LinkNow, Nic, PciBridge, PciDevice, PcieLink
from provision.host.quantity import PciAddress

from .machines import Box, at, box, port_of

L40S = "NVIDIA L40S"
RTX = "NVIDIA GeForce RTX 4090"
X16 = PcieLink(16.0, 16, 16)


@pytest.mark.parametrize(
    ("name", "width", "port", "severity", "words"),
    [
        (RTX, 4, 4, "warning", "x4 of x16 lanes, all that its slot has"),
        (L40S, 8, 8, "note", "x8 of x16 lanes, all that its slot has"),
        (RTX, 8, 16, "note", "both ends of the link have more (port 0000:00:01.0 has x16)"),
        (RTX, 1, 16, "warning", "both ends of the link have more"),
        (L40S, 8, 16, "warning", "both ends of the link have more"),
        (RTX, 4, None, "warning", "x4 of x16 lanes"),
        (L40S, 8, None, "note", "x8 of x16 lanes"),
    ],
)
def test_link_width(name: str, width: int, port: int | None, severity: str, words: str) -> None:
    machine = box(name).link_with(0, width=width).port_with(0, width_max=port)
    finding = machine.one("link-width")
    assert finding.severity == severity
    assert words in finding.evidence
    assert f"GPU 0 ({name}, 0000:10:00.0) runs at" in finding.evidence


@pytest.mark.parametrize(("width", "port"), [(8, 8), (8, None), (12, 12)])
@pytest.mark.parametrize("name", [RTX, "NVIDIA RTX A6000"])
def test_half_of_the_lanes_is_how_boards_are_made(name: str, width: int, port: int | None) -> None:
    assert box(name).link_with(0, width=width).port_with(0, width_max=port).told() == []


@pytest.mark.parametrize("width", [16, None, 0, 63, 255])
def test_full_unknown_and_sleeping_widths_are_quiet(width: int | None) -> None:
    assert not box(RTX).link_with(0, width=width).has("link-width")


def test_numbers_of_a_narrow_link() -> None:
    finding = box(RTX).link_with(0, width=4).port_with(0, width_max=4).one("link-width")
    assert "7.9 GB/s to the host instead of 31.5 GB/s" in finding.consequence
    unknown = box(RTX).link_with(0, width=4, speed_max=None).port_with(0, speed_max=None)
    assert "25% of the data" in unknown.one("link-width").consequence


def test_equal_cards_are_told_together_and_unequal_links_apart() -> None:
    machine = box(RTX, RTX, RTX)
    for number, width in enumerate((4, 4, 2)):
        machine = machine.link_with(number, width=width).port_with(number, width_max=width)
    told = [one.evidence for one in machine.findings() if one.rule == "link-width"]
    assert told[0].startswith("GPUs 0-1 (NVIDIA GeForce RTX 4090) run at x4")
    assert told[1].startswith("GPU 2 (NVIDIA GeForce RTX 4090, 0000:30:00.0) runs at x2")


def _amd(upstream_width: int) -> Box:
    """An RX 7900 with its own switch: the GPU itself always reports x16."""
    ports = [PciAddress(0, bus, 0, 0) for bus in (0, 1, 2)]
    device = PciDevice(
        PciAddress(0, 3, 0, 0), "1002", "744c", "0300", "amd", link=X16, bridges=tuple(ports)
    )
    gpu = Gpu(0, "GPU-amd", device.address, "amd", "AMD Radeon RX 7900 XTX", integrated=False)
    bridges = (
        PciBridge(ports[0], "8086", kind="root-port", link=X16),
        PciBridge(ports[1], "1002", kind="upstream", link=PcieLink(16.0, upstream_width, 16)),
        PciBridge(ports[2], "1002", kind="downstream", link=X16),
    )
    return box().stable_with(
        accelerators=(device,),
        gpus=(gpu,),
        bridges=bridges,
        drivers=(Driver("amd", source="sysfs"),),
    )


def test_an_amd_card_is_judged_by_the_switch_that_it_carries() -> None:
    finding = _amd(4).one("link-width")
    assert "GPU 0 (AMD Radeon RX 7900 XTX, 0000:03:00.0) runs at x4 of x16" in finding.evidence
    assert len([one for one in _amd(4).findings() if one.rule == "link-width"]) == 1
    assert not _amd(16).has("link-width")


def _behind_switch(uplink: int) -> Box:
    machine = box(L40S, L40S)
    root, up = PciAddress(0, 0, 1, 0), PciAddress(0, 1, 0, 0)
    down = [PciAddress(0, 2, number, 0) for number in range(2)]
    bridges = (
        PciBridge(root, "8086", kind="root-port", link=X16),
        PciBridge(up, "1000", kind="upstream", link=PcieLink(16.0, uplink, 16)),
        *(PciBridge(one, "1000", kind="downstream", link=X16) for one in down),
    )
    devices = tuple(
        replace(one, bridges=(root, up, down[number]))
        for number, one in enumerate(machine.stable.accelerators)
    )
    return machine.stable_with(accelerators=devices, bridges=bridges)


def test_a_narrow_switch_above_several_cards_is_one_finding() -> None:
    finding = _behind_switch(4).one("link-width")
    assert finding.severity == "warning"
    assert "switch 0000:01:00.0 above GPUs 0-1 (NVIDIA L40S) runs at x4 of x16" in finding.evidence
    assert "25%" in finding.consequence
    assert not _behind_switch(16).has("link-width")


def test_rdma_cards() -> None:
    nic = Nic(
        PciAddress(0, 9, 0, 0),
        "15b3",
        "1021",
        "0200",
        ("ens1",),
        ("mlx5_0",),
        link=PcieLink(32.0, 8, 16),
        bridges=(port_of(9),),
    )
    machine = box().stable_with(nics=(nic,), bridges=(PciBridge(port_of(9), link=X16),))
    assert (
        "network card ens1 (0000:09:00.0) runs at x8 of x16" in machine.one("link-width").evidence
    )
    assert not machine.stable_with(nics=(replace(nic, rdma=()),)).has("link-width")
    narrow = (PciBridge(port_of(9), link=PcieLink(16.0, 8, 8)),)
    assert not machine.stable_with(bridges=narrow).has("link-width")


def test_link_generation_is_judged_at_work_only() -> None:
    slow = box(L40S).volatile_with(links=(LinkNow(at(0), 8.0),))
    busy = slow.now_with(0, utilization_percent=95)
    finding = busy.one("link-generation")
    assert finding.severity == "warning"
    assert "runs at generation 3, while both ends can do generation 4" in finding.evidence
    assert not slow.has("link-generation")
    assert not busy.volatile_with(links=(LinkNow(at(0), 16.0),)).has("link-generation")
    assert not busy.volatile_with(links=(LinkNow(at(0), None),)).has("link-generation")
    # The slot is the lower end: the card runs as fast as it may.
    assert not busy.port_with(0, speed_max=8.0).has("link-generation")


def test_a_slot_two_generations_below_its_card_is_a_note() -> None:
    old = box("NVIDIA GeForce RTX 5090").link_with(0, speed_max=32.0)
    finding = old.port_with(0, speed_max=8.0).one("link-generation")
    assert finding.severity == "note"
    assert "can do PCIe generation 5, its slot generation 3 at most" in finding.evidence
    assert "25%" in finding.consequence
    assert not old.has("link-generation")
    assert not old.port_with(0, speed_max=None).has("link-generation")

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provision.host.facts import Driver, GpuLink, GpuNow, NumaNode, PciDevice
from provision.host.inspect.drm.intel import read_intel
from provision.host.inspect.gpus import GpusFound, slot
from provision.host.quantity import CpuSet, PciAddress

from .tree import Machine

ONE, TWO = "0000:03:00.0", "0000:83:00.0"
NODES = (
    NumaNode(0, CpuSet.parse("0-7"), 64000, {0: 10, 1: 21}, nearest=0),
    NumaNode(1, CpuSet.parse("8-15"), 64000, {0: 21, 1: 10}, nearest=1),
)


def _intel(address: str, driver: str | None = "xe") -> PciDevice:
    return PciDevice(
        address=PciAddress.parse(address),
        vendor_id="8086",
        device_id="e20b",
        class_code="0300",
        vendor="intel",
        name="Battlemage G21 [Arc B580]",
        driver=driver,
        numa_node=0,
        bridges=(PciAddress.parse("0000:00:01.0"),),
    )


def _files(machine: Machine, address: str, **files: str | int) -> None:
    for name, text in files.items():
        place = name.replace("__", "/")
        machine.file(f"/sys/bus/pci/devices/{address}/{place}", f"{text}\n")


def _read(machine: Machine, *devices: PciDevice) -> GpusFound:
    return read_intel(machine.tree, devices, NODES, {})


def test_a_card_of_xe(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _files(
        machine,
        ONE,
        tile0__physical_vram_size_bytes=12 << 30,
        drm__renderD129__dev="226:129",
        hwmon__hwmon3__name="xe",
        hwmon__hwmon3__power1_max=190_000_000,
        hwmon__hwmon3__power1_rated_max=190_000_000,
        hwmon__hwmon3__temp2_input=48_000,
        hwmon__hwmon3__temp3_input=52_000,
        hwmon__hwmon3__energy1_input=123456789,
    )
    found = _read(machine, _intel(ONE))
    (gpu,) = found.gpus
    assert (gpu.index, gpu.uuid, gpu.vendor) == (0, f"PCI-{ONE}", "intel")
    assert (gpu.name, gpu.memory_mib, gpu.numa_node) == ("Intel Arc B580", 12288, 0)
    assert (gpu.render_node, gpu.integrated) == ("/dev/dri/renderD129", False)
    assert (gpu.power_default_watts, gpu.power_max_watts) == (190, None)
    assert found.now == (GpuNow(gpu.uuid, power_limit_watts=190, temperature_c=48),)
    assert found.driver == Driver("intel", source="sysfs")  # of the kernel's own tree
    assert found.links == ()


def test_two_tiles_are_one_memory_and_half_a_memory_is_unknown(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _files(machine, ONE, tile0__physical_vram_size_bytes=64 << 30, tile1__gt0__id=1)
    assert _read(machine, _intel(ONE)).gpus[0].memory_mib is None
    _files(machine, ONE, tile1__physical_vram_size_bytes=64 << 30)
    assert _read(machine, _intel(ONE)).gpus[0].memory_mib == 131072


def test_a_card_of_intels_own_i915(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _files(
        machine,
        ONE,
        drm__card1__lmem_total_bytes=16 << 30,
        drm__card1__lmem_avail_bytes=12 << 30,
        hwmon__hwmon0__name="i915",
        hwmon__hwmon0__temp1_input=39_500,
        hwmon__hwmon0__power1_max=0,  # switched off
    )
    machine.file("/sys/module/i915/version", "1.25.5\n")
    found = _read(machine, replace(_intel(ONE, "i915"), name=None, device_id="56c0"))
    assert found.gpus[0].name == "Intel GPU 56c0"
    assert found.gpus[0].memory_mib == 16384
    assert found.now[0] == GpuNow(f"PCI-{ONE}", memory_used_mib=4096, temperature_c=39)
    assert found.driver == Driver("intel", "1.25.5", module="1.25.5", source="sysfs")


@pytest.mark.parametrize(
    ("address", "told", "bridges", "expected"),
    [
        ("0000:00:02.0", None, 0, True),
        ("0000:00:02.0", False, 0, False),
        ("0000:03:00.0", None, 1, False),
        ("0000:03:00.0", True, 1, True),
        ("0000:00:05.0", None, 0, None),  # in a virtual machine anything stands anywhere
    ],
)
def test_what_makes_a_gpu_integrated(
    tmp_path: Path, address: str, told: bool | None, bridges: int, expected: bool | None
) -> None:
    device = replace(_intel(address), integrated=told, bridges=_intel(ONE).bridges[:bridges])
    assert _read(Machine(tmp_path), device).gpus[0].integrated is expected


def test_a_passed_through_card_with_memory_is_no_integrated_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    _files(machine, "0000:00:02.0", tile0__physical_vram_size_bytes=12 << 30)
    assert _read(machine, _intel("0000:00:02.0")).gpus[0].integrated is False


def test_only_what_a_graphics_driver_serves_in_pci_order(tmp_path: Path) -> None:
    npu = replace(_intel("0000:00:0b.0", "intel_vpu"), class_code="1200")
    other = replace(_intel("0000:01:00.0"), vendor="amd", driver="amdgpu")
    idle = _intel("0000:02:00.0", None)
    first, second = PciAddress.parse(ONE), PciAddress.parse(TWO)
    found = read_intel(
        Machine(tmp_path).tree,
        (_intel(TWO), npu, other, idle, _intel(ONE)),
        NODES,
        {(slot(first), slot(second)): "SYS", (slot(second), slot(first)): "SYS"},
    )
    assert [str(gpu.address) for gpu in found.gpus] == [ONE, TWO]
    assert found.links == (GpuLink(f"PCI-{ONE}", f"PCI-{TWO}", "SYS"),)
    assert _read(Machine(tmp_path), npu, other, idle) == GpusFound()


def test_rubbish_is_unknown(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for text in ("\0\0", "9" * 6000, "-1", ""):
        _files(
            machine,
            ONE,
            tile0__physical_vram_size_bytes=text,
            hwmon__hwmon0__name=text,
            hwmon__hwmon0__power1_max=text,
            hwmon__hwmon0__temp2_input="x" if text == "-1" else text,
            drm__card0__lmem_total_bytes=text,
        )
        found = _read(machine, _intel(ONE))
        assert found.gpus[0].memory_mib is None
        assert found.now == (GpuNow(f"PCI-{ONE}"),)

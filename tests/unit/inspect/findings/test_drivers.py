"""Drivers that do not answer, and GPUs that they do not serve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import Driver, Kernel, PciBridge, PciDevice
from provision.host.quantity import PciAddress

from .machines import Box, box

L40S = "NVIDIA L40S"


def _unserved(problem: str, **fields: str | None) -> Box:
    """Two GPUs on the bus and a driver that cannot be asked."""
    machine = box(L40S, L40S).device_with(0, 1, **fields) if fields else box(L40S, L40S)
    return replace(
        machine.stable_with(gpus=(), gpu_links=(), drivers=(Driver("nvidia", problem=problem),)),
        volatile=type(machine.volatile)(),
    )


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        ("Driver Not Loaded", "modprobe nvidia"),
        ("NVML Shared Library Not Found", "install the NVIDIA driver"),
        ("Insufficient Permissions", "as root"),
    ],
)
def test_a_driver_that_cannot_be_asked(problem: str, remedy: str) -> None:
    machine = _unserved(problem)
    finding = machine.one("gpu-driver")
    assert finding.severity == "error"
    assert finding.evidence.startswith("GPUs 0000:10:00.0 and 0000:20:00.0 are on the PCI bus, but")
    assert problem in finding.evidence
    assert remedy in (finding.remedy or "")
    assert machine.told() == [("error", "gpu-driver")]
    assert machine.stable_with(accelerators=()).told() == []


def test_secure_boot_is_named_when_the_module_could_not_load() -> None:
    machine = _unserved("Driver Not Loaded").stable_with(kernel=type(box().stable.kernel)())
    signed = machine.stable_with(security=replace(machine.stable.security, secure_boot=True))
    assert "Secure Boot" in (signed.one("gpu-driver").remedy or "")
    assert "Secure Boot" not in (machine.one("gpu-driver").remedy or "")


def test_a_driver_updated_under_its_module() -> None:
    machine = _unserved("RM has detected an NVML/RM version mismatch.")
    finding = machine.one("driver-mismatch")
    assert machine.told() == [("error", "driver-mismatch")]
    assert "then modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia && modprobe nvidia" in (
        finding.remedy or ""
    )
    assert "xargs apt-mark hold" in (finding.remedy or "")
    peer = machine.stable_with(kernel=Kernel(modules=("nvidia", "nvidia_peermem", "nvidia_uvm")))
    assert "modprobe -r nvidia_peermem nvidia_uvm nvidia && modprobe nvidia;" in (
        peer.one("driver-mismatch").remedy or ""
    )
    driver = Driver("nvidia", "580.95.05", module="580.82.09", source="nvml")
    differing = box(L40S).stable_with(drivers=(driver,)).one("driver-mismatch")
    assert "(library 580.95.05, loaded module 580.82.09)" in differing.evidence
    short = replace(driver, version="580.82")
    assert not box(L40S).stable_with(drivers=(short,)).has("driver-mismatch")


def test_nouveau_is_told_alone() -> None:
    machine = _unserved("NVML Shared Library Not Found", driver="nouveau")
    assert machine.told() == [("error", "gpu-nouveau")]
    assert (
        "0000:10:00.0 and 0000:20:00.0 are held by nouveau" in machine.one("gpu-nouveau").evidence
    )


def test_cards_kept_for_virtual_machines_are_a_note() -> None:
    machine = _unserved("Driver Not Loaded", driver="vfio-pci")
    assert machine.told() == [("note", "gpu-passed-on")]
    one_of_two = _served(1, driver="vfio-pci")
    assert one_of_two.told() == [("note", "gpu-passed-on")]
    virtual = one_of_two.device_with(1, virtual=True)
    assert virtual.told() == []


def _served(missing: int, **fields: object) -> Box:
    """Two GPUs on the bus, of which the driver lists one."""
    machine = box(L40S, L40S).device_with(missing, **fields)
    gpus = tuple(gpu for gpu in machine.stable.gpus if gpu.index != missing)
    return machine.stable_with(gpus=gpus, gpu_links=())


def test_a_gpu_that_the_driver_does_not_list() -> None:
    finding = _served(1).one("gpu-not-served")
    assert "GPU 0000:20:00.0 is on the PCI bus (driver nvidia), but NVIDIA's" in finding.evidence
    assert not box(L40S, L40S).has("gpu-not-served")


def test_an_amd_card_without_a_driver_but_not_an_apu() -> None:
    card = PciDevice(PciAddress(0, 5, 0, 0), "1002", "74a1", "1200", "amd")
    assert box().stable_with(accelerators=(card,)).told() == [("warning", "gpu-not-served")]
    ports = tuple(PciAddress(0, bus, 0, 0) for bus in (2, 3, 4))
    radeon = replace(card, class_code="0300", bridges=ports)
    own = tuple(PciBridge(one, "1002" if number else "8086") for number, one in enumerate(ports))
    assert box().stable_with(accelerators=(radeon,), bridges=own).has("gpu-not-served")
    assert box().stable_with(accelerators=(replace(card, class_code="0300"),)).told() == []

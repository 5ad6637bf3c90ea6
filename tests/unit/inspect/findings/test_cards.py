"""Cards as such, and their power."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import Driver, Gpu, MigDevice, UnitNow
from provision.host.inspect.findings import kinds
from provision.host.quantity import PciAddress

from .machines import Box, box, uuid

L40S = "NVIDIA L40S"
RTX = "NVIDIA GeForce RTX 4090"


def test_cards_of_different_memory() -> None:
    machine = box(RTX, RTX, "NVIDIA GeForce RTX 3060").gpu_with(2, memory_mib=12288)
    finding = machine.one("unequal-cards")
    assert finding.severity == "note"
    assert finding.evidence == (
        "GPUs 0-1 (NVIDIA GeForce RTX 4090) have 24 GiB;"
        " GPU 2 (NVIDIA GeForce RTX 3060, 0000:30:00.0) has 12 GiB"
    )
    assert "uses 12 GiB of each" in finding.consequence
    almost = box("NVIDIA GeForce RTX 3090", RTX).gpu_with(1, memory_mib=24564)
    assert not almost.has("unequal-cards")
    assert not box(RTX, RTX).gpu_with(1, memory_mib=None).has("unequal-cards")


def _with_radeon(**fields: object) -> Box:
    machine = box(RTX)
    radeon = Gpu(0, "GPU-amd", PciAddress(0, 3, 0, 0), "amd", "AMD Radeon PRO W7900", **fields)  # type: ignore[arg-type]
    return machine.stable_with(
        gpus=(*machine.stable.gpus, radeon),
        drivers=(*machine.stable.drivers, Driver("amd", source="sysfs")),
    )


def test_nvidia_and_amd_together() -> None:
    finding = _with_radeon(integrated=False).one("mixed-vendors")
    assert finding.severity == "note"
    assert "GPUs of NVIDIA and AMD in one machine" in finding.evidence
    assert "NVIDIA GPU 0 (NVIDIA GeForce RTX 4090" in finding.evidence
    assert "AMD GPU 0 (AMD Radeon PRO W7900" in finding.evidence
    assert not _with_radeon(integrated=True).has("mixed-vendors")
    assert not _with_radeon(integrated=None).has("mixed-vendors")


def test_the_order_of_unlike_cards() -> None:
    machine = box(RTX, "NVIDIA GeForce RTX 3090")
    assert machine.told() == [("note", "device-order")]
    assert machine.system_with(cuda_device_order="PCI_BUS_ID").told() == []
    assert machine.system_with(cuda_device_order=None).told() == []
    assert box(RTX, RTX).told() == []


def test_cards_and_drivers_that_engines_left_behind() -> None:
    old = box("NVIDIA GeForce GTX 1080 Ti").gpu_with(0, compute_capability="6.1")
    assert old.told() == [("note", "compute-capability")]
    for fine in ("7.0", "7.5", "10.0", "12.0", None, "rubbish", "9" * 5000 + ".0"):
        assert not old.gpu_with(0, compute_capability=fine).has("compute-capability")
    driver = Driver("nvidia", "470.256.02", cuda="11.4", source="nvml")
    finding = box(RTX).stable_with(drivers=(driver,)).one("driver-old")
    assert finding.evidence == "the NVIDIA driver 470.256.02 serves CUDA 11.4 at most"
    assert not box(RTX).stable_with(drivers=(replace(driver, cuda="12.2"),)).has("driver-old")


@pytest.mark.parametrize(
    ("mode", "severity"), [("prohibited", "error"), ("exclusive-process", "warning")]
)
def test_compute_modes_that_keep_programs_out(mode: str, severity: str) -> None:
    machine = box(RTX, RTX).gpu_with(1, compute_mode=mode)
    assert machine.told() == [(severity, "compute-mode")]
    assert machine.one("compute-mode").remedy == "nvidia-smi -i 1 -c DEFAULT"
    assert box(RTX).gpu_with(0, compute_mode="default").told() == []


def test_mig_mode_without_a_slice() -> None:
    machine = box("NVIDIA A30").gpu_with(0, mig=True, mig_pending=True)
    assert machine.told() == [("warning", "mig-empty")]
    assert machine.gpu_with(0, mig_devices=(MigDevice("MIG-a"),)).told() == []


def test_modes_that_wait_for_a_reset() -> None:
    machine = box(L40S, L40S).gpu_with(0, ecc=True, ecc_pending=False)
    assert machine.told() == [("warning", "reset-pending")]
    assert machine.one("reset-pending").evidence.startswith("ECC of GPU 0 (NVIDIA L40S, ")
    assert machine.one("reset-pending").evidence.endswith("was switched off and waits for a reset")
    assert box(L40S).gpu_with(0, mig=False, mig_pending=True).has("reset-pending")
    assert not box(L40S).gpu_with(0, mig=False, mig_pending=None).has("reset-pending")


def test_persistence_off_on_all_gpus_is_one_finding() -> None:
    machine = box(*[L40S] * 8).now_with(*range(8), persistence=False)
    finding = machine.one("persistence-off")
    assert machine.told() == [("note", "persistence-off")]
    assert "persistence mode is off on GPUs 0-7 (NVIDIA L40S)" in finding.evidence
    assert finding.subjects == tuple(uuid(number) for number in range(8))
    limited = machine.now_with(2, power_limit_watts=250.0, power_enforced_watts=250.0)
    assert limited.told() == [("warning", "persistence-off")]
    assert not box("NVIDIA GeForce RTX 4090 Laptop GPU").now_with(0, persistence=False).findings()


def test_the_way_to_persistence() -> None:
    one = box(L40S, L40S).now_with(1, persistence=False)
    assert (one.one("persistence-off").remedy or "").startswith("nvidia-smi -i 1 -pm 1 until")
    both = one.now_with(0, persistence=False)
    assert (both.one("persistence-off").remedy or "").startswith("nvidia-smi -pm 1 until")
    failed = (UnitNow("nvidia-persistenced.service", "failed", "enabled"),)
    broken = both.volatile_with(units=failed)
    assert broken.told() == [("note", "persistence-off")]  # the unit is no matter of its own
    assert "nvidia-persistenced.service has failed" in broken.one("persistence-off").evidence
    assert "systemctl status" in (broken.one("persistence-off").remedy or "")
    assert box(L40S).volatile_with(units=failed).told() == [("warning", "unit-failed")]


def test_commands_name_cards_by_address_where_the_driver_counts_one_more() -> None:
    """nvidia-smi counts a GPU that it cannot open, so that the indices behind it are not ours."""
    machine = box(RTX, RTX).gpu_with(1, compute_mode="prohibited")
    machine = machine.saw(complaints=("GPU 0 of NVML: Unknown Error",))
    assert machine.one("compute-mode").remedy == "nvidia-smi -i 0000:20:00.0 -c DEFAULT"


def test_a_power_limit_that_does_not_hold() -> None:
    machine = box(RTX, RTX).now_with(1, power_limit_watts=350.0, power_enforced_watts=250.0)
    assert machine.told() == [("warning", "power-limit-not-holding")]
    finding = machine.one("power-limit-not-holding")
    assert finding.evidence.endswith("does not hold (350 W set, 250 W enforced)")
    both = machine.now_with(0, power_enforced_watts=300.0).one("power-limit-not-holding")
    told = "(GPU 0: 350 W set, 300 W enforced, GPU 1: 350 W set, 250 W enforced)"
    assert both.evidence.endswith(told)
    assert box(RTX).now_with(0, power_enforced_watts=349.5).told() == []
    assert box(RTX).now_with(0, power_enforced_watts=None).told() == []


@pytest.mark.parametrize(
    ("supply", "words"), [(1300, "switches off"), (1600, "200 W are left"), (1750, None)]
)
def test_the_budget_of_the_power_supplies(supply: int, words: str | None) -> None:
    machine = box(*[RTX] * 4).asked(power_supply_watts=supply)
    if words is None:
        assert machine.told() == []
    else:
        assert machine.told() == [("warning", "power-budget")]
        assert words in machine.one("power-budget").consequence
        assert "add up to 1400 W" in machine.one("power-budget").evidence
    assert box(*[RTX] * 4).told() == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NVIDIA H100 80GB HBM3", "data_centre sxm"),
        ("NVIDIA H100 PCIe", "data_centre bridge"),
        ("NVIDIA H100 NVL", "data_centre bridge"),
        ("NVIDIA H200", "data_centre sxm"),
        ("NVIDIA H200 NVL", "data_centre bridge"),
        ("NVIDIA A100-SXM4-40GB", "data_centre sxm"),
        ("NVIDIA A100 80GB PCIe", "data_centre bridge"),
        ("NVIDIA A100-PCIE-40GB", "data_centre bridge"),
        ("NVIDIA B200", "data_centre sxm"),
        ("NVIDIA GB200", "data_centre sxm chip_to_chip"),
        ("NVIDIA GH200 480GB", "data_centre chip_to_chip"),
        ("NVIDIA GB10", "chip_to_chip"),
        ("Tesla T4", "data_centre"),
        ("Tesla V100-SXM2-32GB", "data_centre sxm"),
        ("NVIDIA L4", "data_centre"),
        ("AMD Instinct MI300X OAM", "data_centre"),
        ("AMD Radeon RX 7900 XTX", ""),
        ("Intel Data Center GPU Flex 170", "data_centre"),
        ("NVIDIA A10G", "data_centre"),
        ("NVIDIA T400 4GB", ""),
        ("NVIDIA T1000", ""),
        ("Quadro P4000", ""),
        ("NVIDIA RTX A6000", "bridge"),
        ("NVIDIA RTX 6000 Ada Generation", ""),
        ("NVIDIA GeForce RTX 3090 Ti", "bridge geforce"),
        ("NVIDIA GeForce RTX 3080", "geforce"),
        ("NVIDIA GeForce RTX 2080 SUPER with Max-Q Design", "geforce laptop"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "geforce laptop"),
        ("", ""),
    ],
)
def test_kinds_of_cards(name: str, kind: str) -> None:
    gpu = Gpu(0, "GPU-0", PciAddress(0, 1, 0, 0), name=name)
    found = {
        "data_centre": kinds.data_centre(name),
        "sxm": kinds.sxm(gpu),
        "bridge": kinds.bridge_bandwidth(gpu) is not None,
        "chip_to_chip": kinds.chip_to_chip(name),
        "geforce": kinds.geforce(gpu),
        "laptop": kinds.laptop(name),
    }
    assert {one for one, yes in found.items() if yes} == set(kind.split())

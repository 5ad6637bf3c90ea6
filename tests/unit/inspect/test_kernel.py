from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import Kernel
from provision.host.inspect.source import Source
from provision.host.inspect.system.kernel import (
    chosen,
    iommu_of_groups,
    parse_command_line,
    parse_modules,
    read_kernel,
)

from .tree import Machine

LINE = (
    "BOOT_IMAGE=/vmlinuz-6.8.0-45 root=/dev/mapper/vg-root ro quiet splash "
    "default_hugepagesz=1G hugepagesz=1G hugepages=64 hugepagesz=2M hugepages=1024 "
    "amd_iommu=on iommu=pt pci=realloc=off,noaer pcie_acs_override=downstream,multifunction "
    "nouveau.modeset=0 rd.driver.blacklist=nouveau nvidia-drm.modeset=1 "
    'nvidia.NVreg_RegistryDwords="a=1; b=2" isolcpus=2-7 nohz_full=2-7 rcu_nocbs=2-7 '
    "console=ttyS0,115200 panic=5 -- iommu=off"
)
MODULES = """\
nvidia_uvm 4943872 12 - Live 0x0000000000000000 (POE)
nvidia_drm 131072 4 - Live 0x0000000000000000 (POE)
nvidia 60710912 900 nvidia_uvm,nvidia_drm, Live 0x0000000000000000 (POE)
nvidiafb 61440 0 - Live 0x0000000000000000
ext4 1134592 2 - Live 0x0000000000000000
mlx5_core 2494464 1 mlx5_ib, Live 0x0000000000000000
"""


def test_a_recorded_kernel(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/cmdline", "ro quiet iommu=pt\n")
    machine.file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
    machine.file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    machine.file("/proc/sys/vm/overcommit_memory", "2\n")
    machine.file("/proc/sys/vm/swappiness", "60\n")
    machine.file("/proc/sys/vm/zone_reclaim_mode", "0\n")
    machine.file("/proc/modules", MODULES)
    machine.file("/sys/class/iommu/ivhd0/name", "")
    for group, kind in enumerate(("identity", "DMA", "identity", "identity")):
        machine.file(f"/sys/kernel/iommu_groups/{group}/type", kind + "\n")
    assert read_kernel(Source(tmp_path)) == Kernel(
        parameters=("iommu=pt",),
        iommu="passthrough",
        transparent_hugepages="madvise",
        overcommit_memory=2,
        swappiness=60,
        zone_reclaim_mode=0,
        lockdown="integrity",
        modules=("mlx5_core", "nvidia", "nvidia_drm", "nvidia_uvm"),
    )


def test_nothing_told_is_nothing_known(tmp_path: Path) -> None:
    assert read_kernel(Source(tmp_path)) == Kernel()


def test_parameters_as_written_without_what_is_for_init() -> None:
    assert parse_command_line(LINE) == (
        "default_hugepagesz=1G",
        "hugepagesz=1G",
        "hugepages=64",
        "hugepagesz=2M",
        "hugepages=1024",
        "amd_iommu=on",
        "iommu=pt",
        "pci=realloc=off,noaer",
        "pcie_acs_override=downstream,multifunction",
        "nouveau.modeset=0",
        "rd.driver.blacklist=nouveau",
        "nvidia-drm.modeset=1",
        'nvidia.NVreg_RegistryDwords="a=1; b=2"',
        "isolcpus=2-7",
        "nohz_full=2-7",
        "rcu_nocbs=2-7",
    )


@pytest.mark.parametrize(
    "word",
    [
        "intel_iommu=on,sm_on",
        "iommu.passthrough=0",
        "arm-smmu-v3.disable_bypass=0",
        "arm_smmu_v3.disable_msipolling=1",
        "pcie_aspm=off",
        "transparent_hugepage=never",
        "numa_balancing=disable",
        "numa=off",
        "modprobe.blacklist=nouveau,nvidiafb",
        "module_blacklist=nouveau",
        "systemd.unified_cgroup_hierarchy=0",
        "cgroup_no_v1=all",
        "mitigations=off",
        "amdgpu.ppfeaturemask=0xffffffff",
        "init_on_alloc=0",
        '"pci=nommconf"',
    ],
)
def test_parameters_that_matter(word: str) -> None:
    assert parse_command_line(f"ro {word} quiet") == (word,)


@pytest.mark.parametrize("word", ["root=UUID=1", "iommufd", "pcitest=1", "numaX=1", "", '"', "="])
def test_parameters_that_do_not(word: str) -> None:
    assert parse_command_line(f"ro {word} quiet") == ()


@pytest.mark.parametrize(
    ("types", "state"),
    [
        (("DMA", "DMA-FQ", "identity"), "translated"),
        (("identity", "identity", "DMA"), "passthrough"),
        (("DMA", "identity"), "translated"),
        (("blocked", "", "unmanaged"), None),
        ((), None),
    ],
)
def test_domain_types(types: tuple[str, ...], state: str | None) -> None:
    assert iommu_of_groups(types) == state


def test_no_iommu_is_off_only_where_the_kernel_would_name_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "sys/class/iommu").mkdir(parents=True)
    assert read_kernel(Source(tmp_path)).iommu == "off"
    machine.file("/sys/class/iommu/dmar0/name", "")
    assert read_kernel(Source(tmp_path)).iommu is None
    # POWER makes groups without the class.
    machine.file("/sys/kernel/iommu_groups/0/type", "DMA\n")
    assert read_kernel(Source(tmp_path)).iommu == "translated"


def test_many_groups_are_sampled(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for group in range(300):
        kind = "identity" if group % 10 else "DMA"
        machine.file(f"/sys/kernel/iommu_groups/{group}/type", kind)
    assert read_kernel(Source(tmp_path)).iommu == "passthrough"


def test_words() -> None:
    assert chosen("[always] madvise never") == "always"
    assert chosen("always madvise never") is None
    assert parse_modules("") == ()
    assert parse_modules("nouveau") == ("nouveau",)

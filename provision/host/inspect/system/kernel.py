"""Parameters of the kernel that matter to a GPU server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from ...facts import Kernel
from ..source import Source
from ..tree import Tree

Iommu = Literal["off", "translated", "passthrough"]

# Names as the kernel takes them: `-` and `_` are the same in a module's parameter.
_PARAMETERS = re.compile(
    r"iommu(\..+)?|intel_iommu|amd_iommu|arm[-_]smmu([-_]v3)?\..+|pci|pcie_aspm(\..+)?"
    r"|pcie_acs_override|pcie_ports"
    r"|transparent_hugepage|hugepages|hugepagesz|default_hugepagesz|hugetlb_.+|numa_balancing|numa"
    r"|nouveau\..+|(rd\.driver|modprobe|module)[._]blacklist|nomodeset|nvidia.*\..+|amdgpu\..+"
    r"|i915\..+|xe\..+|isolcpus|nohz_full|rcu_nocbs|irqaffinity|maxcpus|nr_cpus|nosmt|mem|memmap"
    r"|systemd\.unified_cgroup_hierarchy|systemd\.legacy_systemd_cgroup_controller|cgroup_no_v1"
    r"|cgroup_disable|mitigations|init_on_alloc|init_on_free|selinux|enforcing|apparmor|security"
    r"|lsm|lockdown"
)
_MODULES = frozenset(
    {
        "amdgpu",
        "gdrdrv",
        "i915",
        "ib_core",
        "mlx5_core",
        "msr",
        "nouveau",
        "nv_peer_mem",
        "nvidia",
        "nvidia_drm",
        "nvidia_modeset",
        "nvidia_peermem",
        "nvidia_uvm",
        "radeon",
        "vfio_pci",
        "xe",
    }
)
_GROUPS = "/sys/kernel/iommu_groups"
_MOST_GROUPS = 48  # a big server has some hundred, all alike but for a few quirks


def read_kernel(source: Source) -> Kernel:
    """Command line, IOMMU, huge pages, overcommit, lockdown, modules; all from files."""
    vm = "/proc/sys/vm"
    return Kernel(
        parameters=parse_command_line(source.text("/proc/cmdline") or ""),
        iommu=_iommu(source),
        transparent_hugepages=chosen(
            source.text("/sys/kernel/mm/transparent_hugepage/enabled") or ""
        ),
        overcommit_memory=source.number(f"{vm}/overcommit_memory"),
        swappiness=source.number(f"{vm}/swappiness"),
        zone_reclaim_mode=source.number(f"{vm}/zone_reclaim_mode"),
        lockdown=chosen(source.text("/sys/kernel/security/lockdown") or ""),
        modules=parse_modules(source.text("/proc/modules") or ""),
    )


def parse_command_line(text: str) -> tuple[str, ...]:
    """The parameters that matter, as written and in their order, which the kernel minds.

    Quotes keep spaces together; what follows ` -- ` is for init.
    """
    found: list[str] = []
    for match in re.finditer(r'(?:"[^"]*"?|[^\s"])+', text):
        word = match[0]
        if word == "--":
            break
        name = word.strip('"').partition("=")[0]
        if _PARAMETERS.fullmatch(name.replace("-", "_")) or _PARAMETERS.fullmatch(name):
            found.append(word)
    return tuple(found)


def chosen(text: str) -> str | None:
    """The word in brackets: `always [madvise] never`."""
    match = re.search(r"\[([\w-]+)\]", text)
    return match[1] if match else None


def parse_modules(text: str) -> tuple[str, ...]:
    """The modules of /proc/modules that matter, by name."""
    names = {line.partition(" ")[0] for line in text.splitlines()}
    return tuple(sorted(names & _MODULES))


def iommu_of_groups(types: Iterable[str]) -> Iommu | None:
    """The default domain type from the groups' own: most of them, since quirks change a few.

    Types are DMA, DMA-FQ and identity (Documentation/ABI/testing/sysfs-kernel-iommu_groups, Linux
    5.11); a group that a virtual machine holds may say another word.
    """
    words = [word.lower() for word in types]
    translated = sum(word in ("dma", "dma-fq") for word in words)
    passthrough = sum(word == "identity" for word in words)
    if not translated and not passthrough:
        return None
    return "translated" if translated >= passthrough else "passthrough"


def _iommu(tree: Tree) -> Iommu | None:
    """Off where the kernel knows the class but no unit of it, and made no group."""
    groups = sorted(tree.names(_GROUPS), key=lambda name: (len(name), name))
    if groups:
        step = -(-len(groups) // _MOST_GROUPS)
        return iommu_of_groups(tree.text(f"{_GROUPS}/{name}/type") or "" for name in groups[::step])
    if tree.names("/sys/class/iommu") or not tree.is_folder("/sys/class/iommu"):
        return None
    return "off"

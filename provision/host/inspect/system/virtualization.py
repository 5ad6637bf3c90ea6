"""Whether the machine is a container or a virtual machine, in systemd-detect-virt's words."""

from __future__ import annotations

import re

from ..source import Source
from .product import DEVICE_TREES, DMI_FOLDERS

# Beginnings of DMI's maker and product fields, as hypervisors fill them.
_DMI_WORDS = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("HVM domU", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Virtual Machine", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
)
_DMI_FIELDS = ("sys_vendor", "product_name", "board_vendor", "bios_vendor", "product_version")
_CLOCKS = (("kvm-clock", "kvm"), ("hyperv_clocksource", "microsoft"), ("xen", "xen"))
_CLOCK_FILE = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
_FIRST_CPU = 16384  # bytes of /proc/cpuinfo: the kernel makes the text of all CPUs when asked


def read_container(source: Source, mounts: str) -> str | None:
    """The kind of container; None on bare metal or in a virtual machine. mounts: /proc/mounts."""
    told = _word(source.text("/run/systemd/container"))  # systemd's container interface, for all
    if told:
        return told
    detect = source.which("systemd-detect-virt")
    if detect:
        word = _word(source.run([detect, "--container"]).out)
        if word and word != "none":
            return word
    return _container_by_files(source, mounts)


def _container_by_files(source: Source, mounts: str) -> str | None:
    """Containers whose marks systemd-detect-virt does not know, or where it is missing."""
    told = _word(source.text("/run/host/container-manager"))
    if told:
        return told
    if source.is_folder("/run/secrets/kubernetes.io") or source.is_folder(
        "/var/run/secrets/kubernetes.io"
    ):
        return "kubernetes"
    if source.is_file("/run/.containerenv"):
        return "podman"
    if source.is_file("/.dockerenv"):
        return "docker"
    return container_of_cgroup(source.text("/proc/1/cgroup") or "") or container_of_root(mounts)


def container_of_cgroup(text: str) -> str | None:
    """The container in PID 1's control group, where its names are those of the host (v1)."""
    words = (
        (r"/kubepods", "kubernetes"),
        (r"/docker[/-]", "docker"),
        (r"/libpod-", "podman"),
        (r"/lxc(?:[./]|$)", "lxc"),
        (r"/machine\.slice/(?:machine|systemd-nspawn)", "systemd-nspawn"),
    )
    return next((word for pattern, word in words if re.search(pattern, text)), None)


def container_of_root(mounts: str) -> str | None:
    """The container whose store the root overlay lies in; a live system's overlay is none."""
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 4 or words[1] != "/" or words[2] not in ("overlay", "fuse.fuse-overlayfs"):
            continue
        if "/containerd/" in words[3]:
            return "containerd"
        if "/docker/" in words[3]:
            return "docker"
        if "/containers/storage/" in words[3]:
            return "podman"
    return None


def read_virtual_machine(source: Source) -> str | None:
    """The hypervisor below; None on bare metal, or where nothing tells."""
    detect = source.which("systemd-detect-virt")
    if detect:
        word = _word(source.run([detect, "--vm"]).out)
        if word:  # `none` with exit code 1 is an answer as well
            return None if word == "none" else word
    return _machine_by_files(source)


def _machine_by_files(source: Source) -> str | None:
    if source.text("/sys/hypervisor/type") == "xen":
        # Its first domain sees the real machine: that one has control of the others.
        control = "control_d" in (source.text("/proc/xen/capabilities") or "")
        return None if control else "xen"
    clock = machine_of_clocks(source.text(_CLOCK_FILE) or "")
    for folder in DMI_FOLDERS:
        word = machine_of_dmi(*(source.text(f"{folder}/{name}") or "" for name in _DMI_FIELDS))
        if word:
            return "kvm" if (word, clock) == ("qemu", "kvm") else word
    for folder in DEVICE_TREES:
        word = machine_of_device_tree(source.text(f"{folder}/hypervisor/compatible") or "")
        if word:
            return word
    first = source.head("/proc/cpuinfo", _FIRST_CPU) or b""
    return clock or "vm-other" if has_hypervisor_flag(first.decode("latin-1")) else None


def machine_of_clocks(text: str) -> str | None:
    """The hypervisor whose clock the kernel may use (available_clocksource)."""
    for word in text.split():
        for beginning, name in _CLOCKS:
            if word.startswith(beginning):
                return name
    return None


def machine_of_dmi(*fields: str) -> str | None:
    """The hypervisor in DMI: maker, product, and what other fields are given.

    Amazon's metal instances carry its name too and are no virtual machines.
    """
    metal = any(re.search(r"\.metal(?:-|$)", field) for field in fields)
    if metal and any(field.startswith("Amazon EC2") for field in fields):
        return None
    for field in fields:
        for beginning, word in _DMI_WORDS:
            if field.startswith(beginning):
                return word
    return None


def machine_of_device_tree(compatible: str) -> str | None:
    """The hypervisor in /hypervisor/compatible of a device tree."""
    for beginning, word in (("linux,kvm", "kvm"), ("xen", "xen"), ("vmware", "vmware")):
        if compatible.startswith(beginning):
            return word
    return "vm-other" if compatible else None


def has_hypervisor_flag(cpuinfo: str) -> bool:
    """Whether the first CPU of an x86 /proc/cpuinfo says that a hypervisor is below."""
    match = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    return match is not None and "hypervisor" in match[1].split()


def _word(text: str | None) -> str | None:
    return next(iter((text or "").split()), None)

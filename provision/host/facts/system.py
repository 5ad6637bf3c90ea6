"""Facts of the operating system: names and versions, kernel, limits, security, mounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class System:
    """The system as a whole."""

    hostname: str
    kernel: str | None = None  # 6.1.0-18-amd64
    architecture: str | None = None  # x86_64
    distribution: str | None = None  # debian 12
    pretty_name: str | None = None  # Debian GNU/Linux 12 (bookworm)
    product: str | None = None  # maker and model of the machine or board, from DMI or device tree
    systemd: int | None = None  # 252
    cgroup: Literal["v1", "hybrid", "v2"] | None = None  # form of the control groups
    python: str | None = None  # interpreter >= 3.10 for the units, /usr/bin/python3
    numactl: str | None = None  # its path
    memory_mib: int | None = None  # MemTotal
    swap_mib: int | None = None  # SwapTotal
    numa_balancing: int | None = None  # kernel.numa_balancing
    ephemeral_ports: tuple[int, ...] = ()  # net.ipv4.ip_local_port_range: first, last
    container: str | None = None  # systemd-detect-virt's word, None on bare metal or unknown
    virtual_machine: str | None = None  # kvm, vmware, ...; None on bare metal or unknown
    cuda_device_order: str | None = None  # of login shells; CUDA's default where no file sets it


@dataclass(frozen=True, slots=True)
class Kernel:
    """Parameters of the kernel that matter to a GPU server."""

    parameters: tuple[str, ...] = ()  # those of the command line that matter here, as written
    iommu: Literal["off", "translated", "passthrough"] | None = None  # default domain type
    transparent_hugepages: str | None = None  # always, madvise, never
    overcommit_memory: int | None = None  # vm.overcommit_memory: 0 heuristic, 1 always, 2 never
    swappiness: int | None = None  # vm.swappiness
    zone_reclaim_mode: int | None = None  # vm.zone_reclaim_mode
    lockdown: str | None = None  # none, integrity, confidentiality
    modules: tuple[str, ...] = ()  # loaded ones that matter: nvidia, nouveau, nvidia_peermem, ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service gets unless its unit says otherwise. None: not told; -1: no limit."""

    memlock_kib: int | None = None  # systemd's DefaultLimitMEMLOCK
    nofile: int | None = None  # DefaultLimitNOFILE, soft
    nofile_hard: int | None = None  # DefaultLimitNOFILE, hard
    open_files: int | None = None  # fs.file-max
    shm_mib: int | None = None  # size of /dev/shm


@dataclass(frozen=True, slots=True)
class Security:
    """What may forbid a service something."""

    secure_boot: bool | None = None  # on; None: not told or no UEFI
    selinux: Literal["enforcing", "permissive", "disabled"] | None = (
        None  # None: not built in, or not told
    )
    selinux_booleans: Mapping[str, bool] = field(default_factory=dict)  # that matter here
    apparmor: bool | None = None  # enabled in the kernel
    apparmor_profiles: Mapping[str, str] = field(default_factory=dict)  # of our programs: mode
    firewall: tuple[str, ...] = ()  # active ones: firewalld, ufw, nftables, iptables


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system that something of ours lies on, or would."""

    point: str  # /srv/models
    source: str | None = None  # /dev/nvme0n1p2, server:/export
    kind: str | None = None  # ext4, nfs4, tmpfs
    options: tuple[str, ...] = ()  # ro, noexec, nosuid, ...
    size_mib: int | None = None  # whole size
    network: bool | None = None  # a file system on another host
    answers: bool | None = None  # of one that may be: whether it did within 5 s

"""Host memory: swap, overcommit, huge pages, /dev/shm, and the limits that services get."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding
from .case import Case
from .names import gib, listed
from .severity import note, warning

_SWAP_MIB = 1024  # less is what the kernel puts away of idle programs
_LITTLE = 0.1  # of all memory still available
_HUGE_SHARE = 0.25
_SHM_MIB = 1024  # vLLM's queues take some 240 MiB a group, NCCL tens of MiB a pair
_MEMLOCK_KIB = 64  # what services got before systemd and the kernel raised it to 8 MiB
_NOFILE = 65536


def memory_findings(case: Case) -> Iterator[Finding]:
    yield from _swap(case)
    yield from _overcommit(case)
    yield from _huge_pages(case)
    yield from _shm(case)
    yield from _memlock(case)
    yield from _nofile(case)


def _swap(case: Case) -> Iterator[Finding]:
    """Swapping for want of memory; used swap beside free memory is only idle programs."""
    memory, total = case.volatile.memory, case.stable.system.memory_mib
    if not total or memory.available_mib is None or memory.available_mib >= total * _LITTLE:
        return
    used = memory.swap_used_mib or 0
    if used < _SWAP_MIB:
        return
    yield warning(
        "swap-risk",
        f"{gib(used)} of swap are in use while {gib(memory.available_mib)} of {gib(total)} memory"
        " are available",
        "models in host memory are being swapped out, and a token may wait for the disk",
        "free memory or place fewer models in it; MemorySwapMax=0 keeps a service out of swap",
    )


def _overcommit(case: Case) -> Iterator[Finding]:
    """Strict accounting refuses the large reservations that CUDA and engines make."""
    if case.stable.kernel.overcommit_memory != 2:
        return
    total, limit = case.stable.system.memory_mib, case.volatile.memory.commit_limit_mib
    if total and limit is not None and limit >= total:
        return
    known = f" and CommitLimit is {gib(limit)}" if limit is not None else ""
    of_total = f" of {gib(total)} memory" if known and total else ""
    yield warning(
        "overcommit",
        f"vm.overcommit_memory is 2{known}{of_total}",
        "CUDA, PyTorch and engines that map large files reserve far more than they use, and fail"
        " with out of memory although memory is free",
        "sysctl vm.overcommit_memory=0, or raise vm.overcommit_ratio",
    )


def _huge_pages(case: Case) -> Iterator[Finding]:
    total = case.stable.system.memory_mib
    kept = sum(
        (pages.total or 0) * pages.size_kib // 1024
        for node in case.stable.numa_nodes
        for pages in node.huge_pages
    )
    if total and kept > total * _HUGE_SHARE:
        yield note(
            "huge-pages",
            f"{gib(kept)} of {gib(total)} memory are set aside as huge pages",
            "engines and the page cache cannot use them, so models are read from disk again",
            "sysctl vm.nr_hugepages=0 and no hugepages= on the kernel's command line, if nothing"
            " needs them",
        )


def _shm(case: Case) -> Iterator[Finding]:
    size = case.stable.limits.shm_mib
    if size is None or size >= _SHM_MIB or len(case.nvidia) < 2:
        return
    yield warning(
        "shm-small",
        f"/dev/shm has {size} MiB, with {len(case.nvidia)} NVIDIA GPUs",
        "NCCL and vLLM exchange data between their processes there, and tensor parallelism fails"
        " with a bus error or no space left",
        "mount -o remount,size=50% /dev/shm, and the same in /etc/fstab"
        if case.stable.system.container is None
        else "start the container with --shm-size=8g or --ipc=host",
    )


def _memlock(case: Case) -> Iterator[Finding]:
    """Memory that RDMA registers counts against it; CUDA's own pinned memory does not.

    Instances of ours have no limit, nor have the units of most engines' own packages, so that the
    usual 8 MiB are not told.
    """
    limit = case.stable.limits.memlock_kib
    cards = [nic for nic in case.stable.nics if nic.rdma and not nic.virtual]
    if limit is None or not 0 <= limit <= _MEMLOCK_KIB or not cards or not case.nvidia:
        return
    names = listed(name for nic in cards for name in nic.rdma)
    yield note(
        "memlock-small",
        f"services may lock {limit} KiB of memory by default, beside RDMA devices ({names})",
        "NCCL over InfiniBand or RoCE fails to register its buffers in units that do not raise it;"
        " units of provision do",
        "write LimitMEMLOCK=infinity into the units of other programs that use RDMA",
    )


def _nofile(case: Case) -> Iterator[Finding]:
    """Only limits that a unit cannot raise for itself, or that are far below the usual."""
    limits = case.stable.limits
    low = []
    if limits.nofile_hard is not None and 0 <= limits.nofile_hard < _NOFILE:
        low.append(f"DefaultLimitNOFILE is {limits.nofile_hard}")
    if limits.open_files is not None and 0 <= limits.open_files < _NOFILE:
        low.append(f"fs.file-max is {limits.open_files}")
    if low:
        yield note(
            "nofile-small",
            " and ".join(low),
            "nginx and engines run out of file descriptors at some thousand connections",
            "raise it in /etc/systemd/system.conf or /etc/sysctl.d/",
        )

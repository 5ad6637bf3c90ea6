"""Cards as such: unequal ones, mixed vendors, their order, modes that keep programs out."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding, Gpu
from ..gpus import slot
from .case import Case
from .names import gib, gpus_named, only, reset, uuids, verb
from .severity import error, note, warning

_SAME_SIZE = 0.95  # 24564 and 24576 MiB are both "24 GB"
_OLDEST_FOR_VLLM = (7, 0)
_OLDEST_CUDA = 12
_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}


def card_findings(case: Case) -> Iterator[Finding]:
    yield from _unequal(case)
    yield from _mixed_vendors(case)
    yield from _device_order(case)
    yield from _old_cards(case)
    yield from _compute_mode(case)
    yield from _mig(case)
    yield from _pending(case)


def _unequal(case: Case) -> Iterator[Finding]:
    """Memory that differs by more than a few percent among NVIDIA cards."""
    sized = [(gpu.memory_mib, gpu) for gpu in case.nvidia if gpu.memory_mib and not gpu.integrated]
    if len(sized) < 2:
        return
    least, most = min(size for size, _ in sized), max(size for size, _ in sized)
    if least >= most * _SAME_SIZE:
        return
    by_size: dict[int, list[Gpu]] = {}
    for size, gpu in sized:
        by_size.setdefault(size, []).append(gpu)
    told = "; ".join(
        f"{gpus_named(case, gpus)} {verb(len(gpus), 'has', 'have')} {gib(size)}"
        for size, gpus in sorted(by_size.items(), reverse=True)
    )
    yield note(
        "unequal-cards",
        told,
        f"tensor parallelism splits weights evenly, so a group across them uses {gib(least)}"
        " of each card",
        "give unlike cards to instances of their own, or split by layers (pipeline)",
        uuids(gpu for _, gpu in sized),
    )


def _mixed_vendors(case: Case) -> Iterator[Finding]:
    """Discrete GPUs of several vendors; graphics on the CPU's package do not count."""
    found: dict[str, list[Gpu]] = {}
    for gpu in case.stable.gpus:
        device = next(
            (one for one in case.stable.accelerators if slot(one.address) == slot(gpu.address)),
            None,
        )
        discrete = gpu.integrated is False or (device is not None and device.integrated is False)
        if gpu.integrated or (device is not None and device.integrated):
            continue
        if gpu.vendor == "nvidia" or discrete:
            found.setdefault(gpu.vendor, []).append(gpu)
    if len(found) < 2:
        return
    vendors = [_VENDORS[vendor] for vendor in sorted(found, reverse=True)]
    yield note(
        "mixed-vendors",
        f"GPUs of {' and '.join(vendors)} in one machine:"
        f" {gpus_named(case, [gpu for gpus in found.values() for gpu in gpus])}",
        "engines built for CUDA or for ROCm use one maker's cards only, and those that take any"
        " GPU (Vulkan) may start on the wrong one",
        "use one build of an engine for each maker's cards; OLLAMA_VULKAN=0 keeps Ollama to CUDA"
        " or ROCm",
        uuids(gpu for gpus in found.values() for gpu in gpus),
    )


def _device_order(case: Case) -> Iterator[Finding]:
    """CUDA numbers unlike cards by speed unless CUDA_DEVICE_ORDER says otherwise."""
    order = case.stable.system.cuda_device_order
    if order is None or order == "PCI_BUS_ID":
        return
    if len({gpu.name for gpu in case.nvidia}) < 2:
        return
    yield note(
        "device-order",
        f"{gpus_named(case, case.nvidia)} differ and CUDA_DEVICE_ORDER is {order} in login shells",
        "programs started by hand number the GPUs by speed, not as nvidia-smi does, and may use"
        " another card than meant",
        "echo export CUDA_DEVICE_ORDER=PCI_BUS_ID > /etc/profile.d/cuda-device-order.sh; provision"
        " apply writes such a file too",
        uuids(case.nvidia),
    )


def _old_cards(case: Case) -> Iterator[Finding]:
    """Cards and drivers that current engines no longer support."""
    old = [
        gpu
        for gpu in case.nvidia
        if (version := _version(gpu.compute_capability)) and version < _OLDEST_FOR_VLLM
    ]
    if old:
        worst = min(old, key=lambda gpu: _version(gpu.compute_capability) or (0, 0))
        yield note(
            "compute-capability",
            f"{gpus_named(case, old)} {verb(len(old), 'has', 'have')} compute capability"
            f" {worst.compute_capability}",
            "vLLM and SGLang need 7.0 or higher and do not start there; llama.cpp and Ollama do",
            subjects=uuids(old),
        )
    driver = case.driver("nvidia")
    cuda = _version(driver.cuda) if driver else None
    if driver and cuda and cuda[0] < _OLDEST_CUDA:
        yield warning(
            "driver-old",
            f"the NVIDIA driver {driver.version or ''} serves CUDA {driver.cuda} at most".replace(
                "  ", " "
            ),
            f"current builds of vLLM, SGLang and Ollama need CUDA {_OLDEST_CUDA} and fail to start"
            " on a GPU",
            "update the driver (525 or later serves CUDA 12)",
        )


def _version(text: str | None) -> tuple[int, int] | None:
    major, _, minor = (text or "").partition(".")
    if not major.isdecimal() or not minor.isdecimal() or len(text or "") > 12:
        return None
    return (int(major), int(minor))


def _compute_mode(case: Case) -> Iterator[Finding]:
    prohibited = [gpu for gpu in case.nvidia if gpu.compute_mode == "prohibited"]
    if prohibited:
        yield error(
            "compute-mode",
            f"{gpus_named(case, prohibited)} {verb(len(prohibited), 'is', 'are')} in compute mode"
            " prohibited",
            "no CUDA program can use it",
            f"nvidia-smi {only(case, prohibited)} -c DEFAULT",
            uuids(prohibited),
        )
    modes = ("exclusive-process", "exclusive-thread")
    alone = [gpu for gpu in case.nvidia if gpu.compute_mode in modes]
    if alone:
        yield warning(
            "compute-mode",
            f"{gpus_named(case, alone)} {verb(len(alone), 'is', 'are')} in compute mode"
            f" {alone[0].compute_mode}",
            "a second program on the same card fails to start, so no two instances can share it",
            f"nvidia-smi {only(case, alone)} -c DEFAULT",
            uuids(alone),
        )


def _mig(case: Case) -> Iterator[Finding]:
    empty = [gpu for gpu in case.nvidia if gpu.mig and not gpu.mig_devices]
    if empty:
        yield warning(
            "mig-empty",
            f"{gpus_named(case, empty)} {verb(len(empty), 'is', 'are')} in MIG mode without a"
            " slice",
            "CUDA programs find no device there",
            f"nvidia-smi mig {only(case, empty)} -cgi PROFILE -C (nvidia-smi mig -lgip lists the"
            f" profiles), or nvidia-smi {only(case, empty)} -mig 0 to leave MIG mode",
            uuids(empty),
        )


def _pending(case: Case) -> Iterator[Finding]:
    """Modes that were changed and wait for a reset of the GPU."""
    for name, effect, waiting in (
        (
            "MIG mode",
            "until then the old mode holds, then programs find other devices",
            [(gpu, gpu.mig_pending) for gpu in case.nvidia if _differ(gpu.mig, gpu.mig_pending)],
        ),
        (
            "ECC",
            "until then the old mode holds; cards with GDDR memory have less of it with ECC",
            [(gpu, gpu.ecc_pending) for gpu in case.nvidia if _differ(gpu.ecc, gpu.ecc_pending)],
        ),
    ):
        for then, word in ((True, "on"), (False, "off")):
            gpus = [gpu for gpu, pending in waiting if pending is then]
            if gpus:
                yield warning(
                    "reset-pending",
                    f"{name} of {gpus_named(case, gpus)} was switched {word} and waits for a reset",
                    effect,
                    f"{reset(case, gpus)}, or reboot",
                    uuids(gpus),
                )


def _differ(now: bool | None, then: bool | None) -> bool:
    return now is not None and then is not None and now != then

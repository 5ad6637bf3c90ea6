"""Which GPUs: selectors that name one, none named twice, none that is kept for others."""

from __future__ import annotations

from ..complaints import Complaints
from ..gpu_id import canonical, hint, is_index, is_slice
from ..model import GpuSelector, HostSpec, InstanceSpec, PowerLimit
from ..places import Path
from ..subject import quoted


def check_values(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """The GPUs that one instance names."""
    at = ("instances", name, "gpus")
    _check_selector(f"{name}: gpus", spec.gpus, complaints, at)
    if isinstance(spec.gpus, list) and len(spec.gpus) > 1:
        for number, text in enumerate(spec.gpus):
            if is_slice(text):
                complaints.add(
                    "gpu-slices",
                    f"{name}: gpus names {len(spec.gpus)} GPUs, and {text} is a MIG slice; "
                    "CUDA gives a process one slice and nothing else",
                    *at,
                    number,
                    hint="name the slice alone, or whole cards",
                )
                return


def check_shared(spec: HostSpec, complaints: Complaints) -> None:
    """One GPU, one instance, unless both share: others would not know of each other's memory."""
    owners: dict[str, str] = {}
    for name, one in spec.instances.items():
        for number, text in enumerate(one.gpus if isinstance(one.gpus, list) else ()):
            gpu = canonical(text)
            if gpu is None:
                continue
            owner = owners.setdefault(gpu, name)
            if owner == name or (one.share_gpus and spec.instances[owner].share_gpus):
                continue
            complaints.add(
                "gpu-shared",
                f"{name}: the GPU {text} is already named by {owner}",
                *("instances", name, "gpus", number),
                hint="give each its own GPU, or share_gpus: true to both; "
                "ollama serves several models from one instance",
            )


def check_reserved(spec: HostSpec, complaints: Complaints) -> None:
    """The GPUs that are kept for others: real names, and no instance wants one of them."""
    reserved = spec.reserved_gpus or []
    _check_selector("reserved_gpus", reserved, complaints, ("reserved_gpus",))
    kept = {canonical(text) for text in reserved} - {None}
    for name, one in spec.instances.items():
        for number, text in enumerate(one.gpus if isinstance(one.gpus, list) else ()):
            if canonical(text) in kept:
                complaints.add(
                    "gpu-reserved",
                    f"{name}: gpus names {text}, which reserved_gpus keeps from every instance",
                    *("instances", name, "gpus", number),
                    hint="remove it from one of the two",
                )


def check_settings(spec: HostSpec, complaints: Complaints) -> None:
    """The selectors of gpu_settings."""
    limits = spec.gpu_settings.power_limit_watts if spec.gpu_settings else None
    if not isinstance(limits, list):
        return
    seen: dict[str, int] = {}
    for number, limit in enumerate(limits):
        at: Path = ("gpu_settings", "power_limit_watts", number, "gpus")
        _check_selector("gpu_settings: gpus", limit.gpus, complaints, at)
        _check_whole(limit, complaints, at)
        _check_two_limits(limit, number, seen, complaints, at)


def _check_two_limits(
    limit: PowerLimit, number: int, seen: dict[str, int], complaints: Complaints, at: Path
) -> None:
    for item, text in enumerate(limit.gpus if isinstance(limit.gpus, list) else ()):
        gpu = canonical(text)
        if gpu is not None and seen.setdefault(gpu, number) != number:
            message = f"gpu_settings: the GPU {text} has two power limits"
            complaints.add("gpu-twice", message, *at, item, hint="remove one")


def _check_whole(limit: PowerLimit, complaints: Complaints, at: Path) -> None:
    for item, text in enumerate(limit.gpus if isinstance(limit.gpus, list) else ()):
        if is_slice(text):
            complaints.add(
                "limit-of-slice",
                f"gpu_settings: gpus names {text}, a MIG slice; only a whole card has a power "
                "limit",
                *at,
                item,
                hint="write the UUID or PCI address of its card",
            )


def _check_selector(key: str, gpus: object, complaints: Complaints, at: Path) -> None:
    """key: what complaints begin with, `chat: gpus`."""
    if isinstance(gpus, GpuSelector):
        if gpus.model is not None and not gpus.model.strip():
            message = f"{key.removesuffix('gpus')}the GPU model is empty text"
            complaints.add(
                "gpu-model", message, *at, "model", hint='write part of its name: "3090"'
            )
        return
    seen: set[str] = set()
    for number, text in enumerate(gpus if isinstance(gpus, list) else ()):
        gpu = canonical(text)
        if gpu is not None and gpu in seen:
            message = f"{key} names {text} twice"
            complaints.add("gpu-twice", message, *at, number, hint="remove one")
        elif is_index(text):
            complaints.add(
                "gpu-index",
                f"{key} names the index {text}; indices are not taken, "
                "since the order of GPUs changes between boots and programs",
                *at,
                number,
                hint="write the UUID or PCI address (provision inspect shows them)"
                + (", or a count: gpus: 1" if at[0] == "instances" else ""),
            )
        elif gpu is None:
            message = f"{key} names {quoted(text)}, which is no UUID or PCI address"
            complaints.add("gpu-selector", message, *at, number, hint=hint(text))
        else:
            seen.add(gpu)

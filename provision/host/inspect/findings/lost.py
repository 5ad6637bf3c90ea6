"""GPUs that are gone: fallen off the bus, not to be opened, missing to our own record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...facts import Finding
from .case import NOT_ASKED, Case
from .complaints import Complaint, complaints, device_of, lost_slots
from .names import listed, verb
from .severity import error, warning


def lost_findings(case: Case) -> Iterator[Finding]:
    yield from _lost(case)
    yield from _unusable(case)
    yield from _missing(case)


def stranded(case: Case) -> Mapping[str, tuple[str, ...]]:
    """Instances by the GPU of theirs, a UUID, that is not here; nothing where nobody was asked."""
    driver = case.driver("nvidia")
    if driver is not None and driver.source is None and driver.problem:
        return {}  # told of by the driver's own finding
    if any(one.problem == NOT_ASKED for one in case.stable.drivers):
        return {}
    gone: dict[str, tuple[str, ...]] = {}
    for one in case.volatile.placed:
        for uuid in one.gpus:
            if case.gpu(uuid) is None:
                gone[uuid] = (*gone.get(uuid, ()), one.instance)
    return gone


def _lost(case: Case) -> Iterator[Finding]:
    """Lost cards, and the instances that were on them, which the record knows by UUID alone."""
    lost = sorted(lost_slots(case).items())
    nameless = [one for one in complaints(case) if one.lost and one.where is None]
    count = len(lost) + len(nameless)
    if not count:
        return
    told = [f"GPU {device_of(case, where)}: {', '.join(signs)}" for where, signs in lost]
    told += [f"{one.who}: {one.why}" for one in nameless]
    evidence = (
        f"{verb(count, 'a GPU is', f'{count} GPUs are')} lost from the PCI bus ({'; '.join(told)})"
    )
    subjects = [device_of(case, where) for where, _ in lost]
    if _is_that_of_the_record(case):
        gone = stranded(case)
        names = sorted({name for of_gpu in gone.values() for name in of_gpu})
        evidence += f", and {_instances(names)} placed on"
        evidence += f" {verb(len(gone), 'a GPU', 'GPUs')} that {verb(len(gone), 'is', 'are')} gone"
        subjects += sorted(gone)
    yield error(
        "gpu-lost",
        evidence,
        f"nothing can use {verb(count, 'it', 'them')} until the machine is started again, and"
        f" programs that held {verb(count, 'it', 'them')} hang",
        "power the machine off and on (a warm reboot may not do); check power cables, riser and"
        " cooling; journalctl -k -g 'NVRM|AER' tells more",
        subjects,
    )


def _is_that_of_the_record(case: Case) -> bool:
    """Whether the GPUs that the record misses can be the lost ones: no more than these."""
    lost = len(lost_slots(case)) + sum(one.lost and one.where is None for one in complaints(case))
    return 0 < len(stranded(case)) <= lost


def _unusable(case: Case) -> Iterator[Finding]:
    """GPUs that a driver knows and cannot use; AMD's may still serve Vulkan."""
    lost = lost_slots(case)
    said = [
        one
        for one in complaints(case)
        if not one.lost and one.where not in lost and not _told_elsewhere(case, one)
    ]
    closed = [one for one in said if not one.of_amd]
    if closed:
        resets = [one for one in closed if "reset" in one.why.lower() and one.where]
        yield error(
            "gpu-unusable",
            "the NVIDIA driver says of "
            + ", and of ".join(f"{one.who}: {one.why}" for one in closed),
            f"no engine can use {verb(len(closed), 'this GPU', 'these GPUs')}",
            _reset_of(case, resets)
            if len(resets) == len(closed)
            else "journalctl -k -g NVRM tells more",
            _places(case, closed),
        )
    partly = [one for one in said if one.of_amd]
    if partly:
        yield warning(
            "gpu-unusable",
            "; ".join(f"{one.who}: {one.why}" for one in partly),
            f"engines built for ROCm cannot use {verb(len(partly), 'this GPU', 'these GPUs')}",
            "journalctl -k -g 'amdgpu|kfd' tells more",
            _places(case, partly),
        )


def _told_elsewhere(case: Case, one: Complaint) -> bool:
    """The driver asks for a recovery of this GPU, or a container was given others."""
    if case.stable.system.container is not None and "permission" in one.why.lower():
        return True
    gpu = case.served.get(one.where) if one.where else None
    now = case.now.get(gpu.uuid) if gpu else None
    return now is not None and now.recovery_action not in (None, "none")


def _reset_of(case: Case, said: Sequence[Complaint]) -> str:
    return f"stop what uses it, then nvidia-smi -i {','.join(_places(case, said))} --gpu-reset"


def _places(case: Case, said: Sequence[Complaint]) -> list[str]:
    return [device_of(case, one.where) for one in said if one.where]


def _missing(case: Case) -> Iterator[Finding]:
    """GPUs that our own record places instances on and that are not here."""
    gone = stranded(case)
    if not gone or _is_that_of_the_record(case):
        return
    names = sorted({name for of_gpu in gone.values() for name in of_gpu})
    there = len(case.stable.gpus)
    yield error(
        "gpu-missing",
        f"{_instances(names)} placed on {verb(len(gone), 'a GPU', f'{len(gone)} GPUs')} that"
        f" {verb(len(gone), 'is', 'are')} not there ({listed(sorted(gone))});"
        f" {verb(there, '1 GPU is', f'{there} GPUs are')} there",
        f"{verb(len(names), 'it does', 'they do')} not start",
        "check the card's seat and power; journalctl -k -g NVRM tells more; if it was taken out,"
        " provision apply places the instance anew",
        sorted(gone),
    )


def _instances(names: Sequence[str]) -> str:
    """`instance chat.0 is`, `instances big and small are`."""
    count = len(names)
    return f"{verb(count, 'instance', 'instances')} {listed(names)} {verb(count, 'is', 'are')}"

"""Health of the cards: memory errors, waiting for a reset, throttled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...facts import Finding, Gpu, GpuNow
from .case import Case
from .kinds import data_centre
from .names import each, gpus_named, listed, only, reset, uuids, verb
from .recovery import UNKNOWN, WANTED
from .severity import error, note, warning
from .xids import asked_after

_SLOWED = {
    "hw-thermal": "heat (hardware limit)",
    "sw-thermal": "heat (the driver's limit)",
    "hw-power-brake": "the power brake of supply or board",
    "hw-slowdown": "the hardware, which tells no reason",
}


def health_findings(case: Case) -> Iterator[Finding]:
    yield from _recovery(case)
    yield from _ecc_errors(case)
    yield from _remapping(case)
    yield from _ecc_off(case)
    yield from _throttled(case)


def _recovery(case: Case) -> Iterator[Finding]:
    """What the driver itself asks for, with the errors in the log that it asks it after."""
    by_action: dict[str, list[Gpu]] = {}
    for gpu, now in _pairs(case):
        if now.recovery_action not in (None, "none"):
            by_action.setdefault(str(now.recovery_action), []).append(gpu)
    for action, gpus in sorted(by_action.items()):
        wanted = WANTED.get(action) or replace(UNKNOWN, what=action)
        after = asked_after(case, gpus)
        tell = error if wanted.stopped else warning
        yield tell(
            "recovery-action",
            f"the driver asks for {wanted.what} of {gpus_named(case, gpus)}"
            + (f" after {listed(after)}" if after else ""),
            wanted.consequence,
            wanted.remedy.replace("{only}", only(case, gpus)),
            uuids(gpus),
        )


def _ecc_errors(case: Case) -> Iterator[Finding]:
    now_bad = [(gpu, now.ecc_uncorrected) for gpu, now in _pairs(case) if now.ecc_uncorrected]
    if now_bad:
        gpus = [gpu for gpu, _ in now_bad]
        yield warning(
            "ecc-errors",
            f"{_errors(case, now_bad)} since the driver was loaded",
            "the program that met one was ended or computed with wrong values",
            f"nvidia-smi -q -d ECC,ROW_REMAPPER {only(case, gpus)} shows the counts; where they"
            " grow, have the card replaced",
            uuids(gpus),
        )
    before = [
        (gpu, now.ecc_uncorrected_total)
        for gpu, now in _pairs(case)
        if now.ecc_uncorrected_total and not now.ecc_uncorrected
    ]
    if before:
        yield note(
            "ecc-errors",
            f"{_errors(case, before)} in its life, none since the driver was loaded"
            if len(before) == 1
            else f"{_errors(case, before)} in their lives, none since the driver was loaded",
            "faulty rows are replaced by spare ones; a growing count means a failing card",
            subjects=uuids(gpu for gpu, _ in before),
        )


def _errors(case: Case, found: list[tuple[Gpu, int]]) -> str:
    """`1 uncorrectable memory error of GPU 3 (NVIDIA L40S, 0000:c1:00.0)`."""
    total = sum(count for _, count in found)
    told = f"{total} uncorrectable memory {verb(total, 'error', 'errors')}"
    told += f" of {gpus_named(case, [gpu for gpu, _ in found])}"
    if len(found) > 1:
        told += f" ({each([(gpu, str(count)) for gpu, count in found])})"
    return told


def _remapping(case: Case) -> Iterator[Finding]:
    failed = [gpu for gpu, now in _pairs(case) if now.remapping_failed]
    if failed:
        yield error(
            "row-remap-failed",
            f"{gpus_named(case, failed)} could not replace a faulty memory row, since no spare is"
            " left",
            "the fault stays and ends programs again and again",
            "have the card replaced: it meets NVIDIA's conditions for a return",
            uuids(failed),
        )
    waiting = [gpu for gpu, now in _pairs(case) if now.remapping_pending]
    if waiting:
        yield warning(
            "row-remap-pending",
            f"{gpus_named(case, waiting)} {verb(len(waiting), 'waits', 'wait')} for a reset to"
            " replace a faulty memory row",
            "until then the row stays as it is, and another error there may end programs",
            f"{reset(case, waiting)}, or reboot",
            uuids(waiting),
        )


def _ecc_off(case: Case) -> Iterator[Finding]:
    off = [
        gpu
        for gpu in case.nvidia
        if gpu.ecc is False and not gpu.ecc_pending and data_centre(gpu.name)
    ]
    if off:
        yield note(
            "ecc-off",
            f"ECC is off on {gpus_named(case, off)}",
            "memory errors are neither corrected nor counted, and faulty rows are not replaced",
            f"nvidia-smi {only(case, off)} -e 1, then reset the GPU or reboot",
            uuids(off),
        )


def _throttled(case: Case) -> Iterator[Finding]:
    """Slowed down now by heat or by the power brake; the software power cap is normal."""
    by_reason: dict[tuple[str, ...], list[tuple[Gpu, GpuNow]]] = {}
    for gpu, now in _pairs(case):
        named = sorted({_reason(one) for one in now.throttle or ()} & set(_SLOWED))
        if len(named) > 1 and "hw-slowdown" in named:
            named.remove("hw-slowdown")  # set together with the bit that says why
        if {"hw-thermal", "sw-thermal"} <= set(named):
            named.remove("sw-thermal")  # the hardware's limit is the higher one
        if named:
            by_reason.setdefault(tuple(named), []).append((gpu, now))
    for named_reasons, found in by_reason.items():
        gpus = [gpu for gpu, _ in found]
        yield warning(
            "throttling",
            f"{gpus_named(case, gpus)} {verb(len(gpus), 'is', 'are')} slowed down now by"
            f" {' and '.join(_SLOWED[one] for one in named_reasons)}{_readings(found)}",
            "tokens come slower than the card can; a group of cards waits for the slowest",
            "check fans, air flow and dust; a lower power limit costs little speed"
            if any("thermal" in one for one in named_reasons)
            else "check power cables and supply, and the board's power brake",
            uuids(gpus),
        )


def _reason(word: str) -> str:
    """`hw-thermal` of `hw-thermal-slowdown`, as nvidia-smi's columns are named."""
    return word if word in _SLOWED else word.removesuffix("-slowdown")


def _readings(found: list[tuple[Gpu, GpuNow]]) -> str:
    """Temperature, and clock of the slowest."""
    degrees = [now.temperature_c for _, now in found if now.temperature_c is not None]
    clocks = [
        (now.clock_sm_mhz, now.clock_sm_max_mhz)
        for _, now in found
        if now.clock_sm_mhz is not None and now.clock_sm_max_mhz is not None
    ]
    parts = [f"at {max(degrees)} degrees Celsius"] if degrees else []
    if clocks:
        parts.append("with {} of {} MHz".format(*min(clocks)))
    return "".join(f", {part}" for part in parts)


def _pairs(case: Case) -> tuple[tuple[Gpu, GpuNow], ...]:
    return tuple((gpu, case.now[gpu.uuid]) for gpu in case.stable.gpus if gpu.uuid in case.now)

"""Errors in the kernel's log by the NVIDIA driver's own numbers.

Tiers and words follow NVIDIA's Xid catalogue (docs.nvidia.com/deploy/xid-errors): errors are those
whose immediate action is a reset of the GPU or of the machine; faults of applications (13, 31, 43,
45, 68, 69 ...) say nothing of the machine and are left out, as are informational ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...facts import Finding, Gpu, Xid
from ..gpus import slot
from .case import Case
from .complaints import lost_slots
from .names import ago, gpus_named, reset
from .severity import error, note, warning

_RESET: Mapping[int, str] = {
    46: "the GPU stopped processing",
    48: "uncorrectable ECC error",
    62: "internal microcontroller halted",
    64: "a faulty memory row could not be retired",
    74: "NVLink error",
    79: "the GPU fell off the bus",
    95: "uncontained memory error",
    110: "security fault",
    119: "GSP firmware does not answer",
    120: "GSP firmware error",
    140: "unrecovered ECC error",
    143: "initialisation failed",
    158: "fatal timeout",
}
_WATCH: Mapping[int, str] = {
    61: "internal microcontroller breakpoint",
    92: "many corrected memory errors",
    94: "contained memory error",
    109: "context switch timeout",
    136: "NVLink training failed",
    144: "NVLink error",
    145: "NVLink error",
    146: "NVLink error",
    147: "NVLink error",
    148: "NVLink error",
    149: "NVLink error",
    150: "NVLink error",
    155: "NVLink went down",
    157: "a faulty resource could not be retired",
}
_RETIRED: Mapping[int, str] = {
    63: "a memory row was retired",
    156: "a faulty resource was retired",
}
_DAY = 86400


def xid_findings(case: Case) -> Iterator[Finding]:
    """One finding a number, all GPUs that have it together."""
    lost = lost_slots(case)
    by_number: dict[int, list[Xid]] = {}
    for xid in case.volatile.xids:
        if slot(xid.address) not in lost and not xid.switch and not _told_elsewhere(case, xid):
            by_number.setdefault(xid.number, []).append(xid)
    for number, xids in sorted(by_number.items()):
        if number in _RESET:
            yield from _of_reset(case, number, xids)
        elif number in _WATCH:
            yield warning(
                "xid",
                _seen(case, xids, _WATCH[number]),
                "the programs that used the GPU then were ended; again and again it is a fault of"
                " the hardware",
                "nvidia-smi -q -d ECC,ROW_REMAPPER shows the memory's health; if it comes back, ask"
                " the card's maker",
                _addresses(xids),
            )
        elif number in _RETIRED:
            yield note(
                "xid",
                _seen(case, xids, _RETIRED[number]),
                "the memory repaired itself; it takes effect with the next reset of the GPU",
                subjects=_addresses(xids),
            )


def asked_after(case: Case, gpus: Sequence[Gpu]) -> list[str]:
    """The errors after which the driver asks for a recovery of these GPUs."""
    slots = {slot(gpu.address) for gpu in gpus}
    found: dict[int, list[Xid]] = {}
    for xid in case.volatile.xids:
        if xid.number in _RESET and not xid.switch and slot(xid.address) in slots:
            found.setdefault(xid.number, []).append(xid)
    return [
        f"Xid {number} ({_RESET[number]}{_last(xids, ', ')})"
        for number, xids in sorted(found.items())
    ]


def _told_elsewhere(case: Case, xid: Xid) -> bool:
    """By recovery-action; or by the state of the row remapper, which is pending or is done."""
    gpu = case.served.get(slot(xid.address))
    now = case.now.get(gpu.uuid) if gpu else None
    if now is None:
        return False
    if xid.number in _RETIRED:
        return now.remapping_pending is not None
    return xid.number in _RESET and now.recovery_action not in (None, "none")


def _of_reset(case: Case, number: int, xids: Sequence[Xid]) -> Iterator[Finding]:
    """Errors whose remedy is a reset, apart by whether the driver says that it needs none now."""
    over = [one for one in xids if _recovered(case, one)]
    if over:
        yield warning(
            "xid",
            _seen(case, over, _RESET[number]),
            "the programs that used the GPU then were ended; the driver asks for nothing more",
            "if it comes back, ask the card's maker (nvidia-bug-report.sh)",
            _addresses(over),
        )
    open_ones = [one for one in xids if one not in over]
    if open_ones:
        recent = any(one.seconds_ago is None or one.seconds_ago < _DAY for one in open_ones)
        tell = error if recent else warning
        yield tell(
            "xid",
            _seen(case, open_ones, _RESET[number]),
            "NVIDIA's advice is a reset; until then the GPU may hang or compute wrong values",
            _reset(case, open_ones),
            _addresses(open_ones),
        )


def _recovered(case: Case, xid: Xid) -> bool:
    gpu = case.served.get(slot(xid.address))
    return (
        gpu is not None and gpu.uuid in case.now and (case.now[gpu.uuid].recovery_action == "none")
    )


def _seen(case: Case, xids: Sequence[Xid], meaning: str) -> str:
    times = sum(one.count for one in xids)
    often = "once" if times == 1 else f"{times} times"
    last = _last(xids, ", " if times == 1 else ", last ") or " since boot"
    return f"Xid {xids[0].number} ({meaning}) on {_where(case, xids)}, {often}{last}"


def _last(xids: Sequence[Xid], before: str) -> str:
    """`, 5 min ago`; nothing where the log tells no time."""
    told = [one.seconds_ago for one in xids if one.seconds_ago is not None]
    return f"{before}{ago(min(told))}" if told else ""


def _where(case: Case, xids: Sequence[Xid]) -> str:
    gpus = [case.served[slot(one.address)] for one in xids if slot(one.address) in case.served]
    others = [str(one.address) for one in xids if slot(one.address) not in case.served]
    return " and ".join(filter(None, (gpus_named(case, gpus), ", ".join(others))))


def _reset(case: Case, xids: Sequence[Xid]) -> str:
    gpus = [case.served[slot(one.address)] for one in xids if slot(one.address) in case.served]
    way = f"{reset(case, gpus)}, or reboot" if len(gpus) == len(xids) else "reboot the machine"
    return f"{way}; if it comes back, ask the card's maker (nvidia-bug-report.sh)"


def _addresses(xids: Sequence[Xid]) -> tuple[str, ...]:
    return tuple(str(one.address) for one in xids)

"""Errors that the NVIDIA driver reported to the kernel's log since boot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...facts import Xid
from ...quantity import PciAddress
from ..source import Source

_MOST_CHARACTERS = 32 << 20  # above the largest ring buffer that kernels are built with
_MOST_ENTRIES = 20_000  # of the journal: a broken GPU or client writes tens of thousands a day
_MOST_MESSAGE = 200
_FALLEN = 79
_JOURNAL_REFUSES = re.compile(
    r"insufficient permissions|not seeing messages|No journal files|Failed to|No such boot"
)
_STAMP = re.compile(r"\s*(?:<\d{1,3}>)?\[\s*(\d{1,10}\.\d{1,9})\]", re.ASCII)
_ADDRESS = (
    r"(?:PCI:)?([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})(?:\.([0-7]))?(?![0-9a-fA-F])"
)
# (PCI:0000:c1:00), (PCI:0000:c1:00.0), (0000:c1:00); with MIG (PCI:0000:c1:00 GPU-I:05).
_XID = re.compile(
    rf"(?P<kind>NVRM: Xid|SXid) \({_ADDRESS}[^)\n]{{0,60}}\): "
    r"(?P<number>\d{1,6})\b,?\s*(?P<text>.*)",
    re.ASCII,
)
_PLACE = re.compile(rf"(?<![0-9a-fA-F:]){_ADDRESS}", re.ASCII)
_NOBODY = re.compile(r"^pid='?<unknown>'?,\s*(?:name=<unknown>,?\s*)?")
_VERSIONS = re.compile(
    r"the client (?:.{0,80}?)has the version (\d[\d.]{1,20}\d),? but this kernel module has"
    r" the version (\d[\d.]{1,20}\d)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class DriverLog:
    """known: whether the log could be read; None: no driver of NVIDIA is loaded, nobody looked."""

    known: bool | None = None
    xids: tuple[Xid, ...] = ()
    mismatch: tuple[str, str] | None = None  # the library's version, the kernel module's


@dataclass(frozen=True, slots=True)
class _Line:
    seconds: float | None  # since boot
    text: str


def read_driver_log(source: Source) -> DriverLog:
    """What the driver wrote into the kernel's log since boot, Xids and refused libraries.

    The kernel's own buffer is read first, which takes milliseconds; the journal only where the
    buffer has lost its beginning or may not be read (kernel.dmesg_restrict).
    """
    loaded = ("/proc/driver/nvidia", "/sys/module/nvidia", "/sys/bus/pci/drivers/nvidia")
    if not any(map(source.is_folder, loaded)):
        return DriverLog()
    uptime = _uptime(source.text("/proc/uptime") or "")
    buffer = _said(source, "dmesg")
    log = DriverLog(False) if buffer is None else parse_log(buffer, uptime)
    if buffer is not None and _is_whole(buffer):
        return log
    journal = _journal(source, r"Xid \(|fallen off the bus")
    if journal is not None:
        older = parse_log(journal, uptime)
        if _lines_in(older) >= _lines_in(log):
            log = DriverLog(True, older.xids, log.mismatch)
    if buffer is None and journal is not None:
        refused = parse_log(_journal(source, "API mismatch") or "", uptime)
        log = DriverLog(True, log.xids, refused.mismatch)
    return log


def _said(source: Source, program: str, *words: str) -> str | None:
    """A program's output; None where it is missing, refused or silent."""
    path = source.which(program)
    ran = source.run([path, *words], timeout=15) if path else None
    return ran.out[-_MOST_CHARACTERS:] if ran and ran.ok and ran.out.strip() else None


def _journal(source: Source, pattern: str) -> str | None:
    """The kernel's entries of this boot that match; None where the journal may not be read.

    Nothing that matches is no failure, but some versions exit with 1 then. --grep is of systemd
    237 and needs PCRE; without it the newest entries are read.
    """
    path = source.which("journalctl")
    if path is None:
        return None
    words = [path, "-k", "-b", "-o", "short-monotonic", "--no-pager", f"-n{_MOST_ENTRIES}"]
    ran = source.run([*words, f"--grep={pattern}"], timeout=15)
    if not ran.ok and re.search(r"--grep|pattern matching|unrecognized", ran.err):
        ran = source.run(words, timeout=15)
    if ran.code not in (0, 1) or _JOURNAL_REFUSES.search(ran.err):
        return None
    return ran.out[-_MOST_CHARACTERS:]


def _is_whole(buffer: str) -> bool:
    """Whether the ring buffer still has the boot's first lines, so that nothing was lost."""
    first = _STAMP.match(buffer)
    return float(first[1]) < 1 if first else "Linux version " in buffer[:2000]


def _uptime(text: str) -> float | None:
    match = re.match(r"(\d{1,12}(?:\.\d{1,6})?)\s", f"{text} ", re.ASCII)
    return float(match[1]) if match else None


def _lines_in(log: DriverLog) -> int:
    return sum(one.count for one in log.xids)


def parse_log(text: str, uptime: float | None = None) -> DriverLog:
    """The driver's lines of a kernel log, oldest or newest first. uptime: seconds since boot."""
    lines = _lines(text)
    found: dict[tuple[bool, PciAddress, int], list[_Line]] = {}
    for line in lines:
        match = _XID.search(line.text) if "Xid (" in line.text else None
        if match:
            switch = match["kind"] == "SXid"
            # An SXid is followed by lines of its severity and raw data under the same number.
            if switch and match["text"].startswith(("Severity", "Data {")):
                continue
            key = switch, _address(match), int(match["number"])
            found.setdefault(key, []).append(_Line(line.seconds, match["text"]))
    for address, line in _fallen(lines):
        found.setdefault((False, address, _FALLEN), [line])
    xids = (
        Xid(
            address,
            number,
            count=len(told),
            last=_readable(told[-1].text),
            seconds_ago=_ago(told[-1].seconds, uptime),
            switch=switch,
        )
        for (switch, address, number), told in found.items()
    )
    return DriverLog(
        True,
        tuple(sorted(xids, key=lambda one: (one.address, one.number, one.switch))),
        _mismatch([line.text for line in lines]),
    )


def _lines(text: str) -> list[_Line]:
    """The lines that the driver wrote, oldest first.

    A message of several lines has one time stamp: the other lines follow it. journalctl prints
    the newest entry first where it is given --grep and a number of entries.
    """
    entries: list[list[_Line]] = []
    for line in text.splitlines():
        if "NVRM" not in line and "SXid" not in line:
            continue
        stamp = _STAMP.match(line)
        if stamp or not entries:
            entries.append([_Line(float(stamp[1]) if stamp else None, line)])
        else:
            entries[-1].append(_Line(entries[-1][0].seconds, line))
    if entries:
        first, last = entries[0][0].seconds, entries[-1][0].seconds
        if first is not None and last is not None and first > last:
            entries.reverse()
    return [line for entry in entries for line in entry]


def _fallen(lines: Sequence[_Line]) -> Iterator[tuple[PciAddress, _Line]]:
    """GPUs of `has fallen off the bus` without an Xid: at the probe the message has three lines."""
    named: PciAddress | None = None
    for line in lines:
        if "Xid (" in line.text:
            named = None
            continue
        place = _PLACE.search(line.text.partition("NVRM:")[2])
        if "fallen off the bus" in line.text:
            address = _address(place) if place else named
            if address:
                yield address, _Line(line.seconds, "GPU has fallen off the bus.")
        if place:
            named = _address(place)
        elif "NVRM: (PCI ID" not in line.text:
            named = None


def _mismatch(texts: Sequence[str]) -> tuple[str, str] | None:
    """The versions of the last refusal, whose sentence the driver breaks as it likes."""
    for at in range(len(texts) - 1, -1, -1):
        if "API mismatch" in texts[at]:
            parts = [text.partition("NVRM:")[2].strip() for text in texts[at : at + 4]]
            match = _VERSIONS.search(" ".join(parts))
            if match:
                return match[1], match[2]
    return None


def _address(match: re.Match[str]) -> PciAddress:
    named = "kind" in match.re.groupindex
    domain, bus, device, function = match.group(*((2, 3, 4, 5) if named else (1, 2, 3, 4)))
    return PciAddress(int(domain, 16), int(bus, 16), int(device, 16), int(function or 0))


def _readable(text: str) -> str | None:
    """A message without control characters, and without a process that is not known."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * _MOST_MESSAGE])
    plain = _NOBODY.sub("", " ".join(plain.split()))
    return plain[:_MOST_MESSAGE].rstrip() or None


def _ago(seconds: float | None, uptime: float | None) -> int | None:
    """Seconds since then; None where a container's uptime is younger than the kernel's log."""
    if seconds is None or uptime is None or seconds > uptime + 60:
        return None
    return max(0, round(uptime - seconds))

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.host.document import dumps, loads
from provision.host.facts import Xid
from provision.host.inspect.nvidia.log import (
    DriverLog,
    parse_log,
    read_driver_log,
)
from provision.host.inspect.source import Source
from provision.host.quantity import PciAddress
from provision.host.run import Ran

C1 = PciAddress(0, 0xC1, 0, 0)
BOOT = "[    0.000000] Linux version 6.8.0-generic (buildd@host) #1 SMP\n"
FALLEN = "[  100.500000] NVRM: Xid (PCI:0000:c1:00): 79, pid='<unknown>', name=<unknown>, {}\n"
OFF = FALLEN.format("GPU has fallen off the bus.")


@pytest.mark.parametrize(
    ("line", "address", "number", "last"),
    [
        ("Xid (PCI:0000:c1:00): 79, GPU has fallen off the bus.", "0000:c1:00.0", 79, "GPU has"),
        ("Xid (PCI:0000:C1:00.0): 48, pid=7, name=a b, DBE", "0000:c1:00.0", 48, "pid=7, name=a b"),
        ("Xid (0000:03:00): 13, 0003 00000000", "0000:03:00.0", 13, "0003 00000000"),
        ("NVRM: Xid (PCI:000a:3b:1f.1): 31, Ch 00000008", "000a:3b:1f.1", 31, "Ch 00000008"),
        ("Xid (PCI:10000:3b:00): 8, x", "10000:3b:00.0", 8, "x"),
        (
            "Xid (PCI:0000:01:00 GPU-I:05 GPU-CI:02): 94, pid=9, Contained",
            "0000:01:00.0",
            94,
            "pid=9",
        ),
        ("Xid (PCI:0000:01:00): 154, GPU recovery action changed", "0000:01:00.0", 154, "GPU rec"),
        ("Xid (PCI:0000:01:00): 43", "0000:01:00.0", 43, ""),
    ],
)
@pytest.mark.parametrize(
    "stamp", ["[   12.250000] ", "<4>[   12.250000][ T901] ", "[12.250] h kernel: "]
)
def test_every_form_of_the_line(
    line: str, address: str, number: int, last: str, stamp: str
) -> None:
    (xid,) = parse_log(f"{stamp}NVRM: {line}\r\n", uptime=112.0).xids
    assert (str(xid.address), xid.number, xid.count) == (address, number, 1)
    assert (xid.last or "").startswith(last)
    assert (xid.last is None) == (last == "")
    assert (xid.seconds_ago, xid.switch) == (100, False)


def test_by_address_and_number_with_the_last_message() -> None:
    text = (
        "[   50.0] NVRM: Xid (PCI:0000:c1:00): 31, first\n"
        "[   51.0] usb 1-1: Xid (PCI:0000:c1:00): 31, of no driver of ours\n"
        "[   60.0] NVRM: Xid (PCI:0000:41:00): 31, elsewhere\n"
        f"[   70.0] NVRM: Xid (PCI:0000:c1:00): 31, last\t\x07{'x' * 500}\n"
        "[   80.0] NVRM: Xid (PCI:0000:c1:00): 13, other\n"
        "[   90.0] NVRM: GPU at PCI:0000:c1:00: GPU-c1c1c1c1-0000-1111-2222-333333333333\n"
    )
    newest_first = "".join(f"{line}\n" for line in reversed(text.splitlines()))
    for log in (parse_log(text, 100.0), parse_log(newest_first, 100.0)):
        assert [(str(one.address), one.number, one.count, one.seconds_ago) for one in log.xids] == [
            ("0000:41:00.0", 31, 1, 40),
            ("0000:c1:00.0", 13, 1, 20),
            ("0000:c1:00.0", 31, 2, 30),
        ]
        last = log.xids[2].last
        assert last is not None
        assert last.startswith("last xxx")
        assert len(last) == 200


@pytest.mark.parametrize(
    "sentence",
    [
        "NVRM: GPU at 0000:c1:00.0 has fallen off the bus.",
        "NVRM: GPU 0000:c1:00.0: GPU has fallen off the bus.",
        "NVRM: GPU at PCI:0000:c1:00: GPU-c1c1c1c1-0000-1111 has fallen off the bus.",
        (
            "NVRM: The NVIDIA GPU 0000:c1:00.0 (PCI ID: 10de:2204) installed in this system has\n"
            "               NVRM: fallen off the bus and is not responding to commands."
        ),
        (
            "NVRM: The NVIDIA GPU 0000:c1:00.0\n"
            "[    9.000001] NVRM: (PCI ID: 10de:2204) installed in this system has\n"
            "[    9.000002] NVRM: fallen off the bus and is not responding to commands."
        ),
    ],
)
def test_fallen_off_the_bus_without_a_number(sentence: str) -> None:
    fallen = Xid(C1, 79, last="GPU has fallen off the bus.", seconds_ago=11)
    assert parse_log(f"[    9.000000] {sentence}\n", 20.0).xids == (fallen,)
    (once,) = parse_log(f"{OFF}[  100.600000] {sentence}\n", 200.0).xids
    assert (once.number, once.count, once.last) == (79, 1, "GPU has fallen off the bus.")


def test_switches_are_kept_apart() -> None:
    text = (
        "[  5.0] nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up\n"
        "[  5.1] nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Severity 1 Engine instance 30\n"
        "[  5.2] nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Data {0x50610002, 0x10100030}\n"
        "[  6.0] NVRM: Xid (PCI:0000:c1:00): 74, NVLink error\n"
    )
    assert parse_log(text).xids == (
        Xid(C1, 74, last="NVLink error"),
        Xid(C1, 20034, last="Fatal, Link 30 LTSSM Fault Up", switch=True),
    )


@pytest.mark.parametrize(
    "text",
    [
        (
            "[ 7.0] NVRM: API mismatch: the client has the version 570.86.15, but\n"
            "            NVRM: this kernel module has the version 550.54.14.  Please\n"
            "            NVRM: make sure that this kernel module and all NVIDIA driver\n"
            "            NVRM: components have the same version.\n"
        ),
        (
            "[ 7.0] NVRM: API mismatch: the client 'nvidia-smi' (pid 4242)\n"
            "[ 7.1] NVRM: has the version 570.86.15, but this kernel module has\n"
            "[ 7.1] NVRM: the version 550.54.14.  Please make sure that this\n"
        ),
        (
            "[ 6.0] NVRM: API mismatch: the client has the version 570.1, but this kernel module"
            " has the version 550.1.\n"
            "[ 7.0] NVRM: API mismatch: the client has the version 570.86.15, but this kernel"
            " module has the version 550.54.14.\n"
        ),
    ],
)
def test_a_library_that_the_module_refused(text: str) -> None:
    assert parse_log(text).mismatch == ("570.86.15", "550.54.14")


def test_times_that_cannot_be_told() -> None:
    assert parse_log("NVRM: Xid (PCI:0000:c1:00): 79, x\n", 10.0).xids[0].seconds_ago is None
    assert parse_log(OFF, None).xids[0].seconds_ago is None
    assert parse_log(OFF, 5.0).xids[0].seconds_ago is None  # a container's own uptime
    assert parse_log(OFF, 99.9).xids[0].seconds_ago == 0


@dataclass(frozen=True)
class Host(Source):
    """A host whose programs answer from a table: by their name, journalctl by its --grep too."""

    said: Mapping[str, Ran] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def which(self, program: str) -> str | None:
        return program if any(one.split()[0] == program for one in self.said) else None

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        del timeout
        grep = next((word for word in argv if word.startswith("--grep=")), "")
        key = f"{argv[0]} {grep.removeprefix('--grep=')}".strip()
        self.asked.append(key)
        return self.said.get(key, Ran(tuple(argv), 1, "", "not told"))


def host(folder: Path, said: Mapping[str, Ran], module: bool = True) -> Host:
    if module:
        (folder / "proc/driver/nvidia").mkdir(parents=True)
    (folder / "proc").mkdir(exist_ok=True)
    (folder / "proc/uptime").write_text("160.50 1000.00\n")
    return Host(folder, said=said)


def ran(out: str, code: int = 0, err: str = "") -> Ran:
    return Ran((), code, out, err)


JOURNAL = r"journalctl Xid \(|fallen off the bus"
MISMATCH = (
    "[    9.5] h kernel: NVRM: API mismatch: the client has the version 2.22, but this kernel"
    " module has the version 1.11.\n"
)


def test_a_whole_buffer_is_enough(tmp_path: Path) -> None:
    source = host(tmp_path, {"dmesg": ran(BOOT + OFF), JOURNAL: ran(OFF * 2)})
    assert read_driver_log(source).xids == (
        Xid(C1, 79, last="GPU has fallen off the bus.", seconds_ago=60),
    )
    assert source.asked == ["dmesg"]
    assert read_driver_log(source).mismatch is None


def test_a_buffer_that_lost_its_beginning_is_completed_by_the_journal(tmp_path: Path) -> None:
    source = host(tmp_path, {"dmesg": ran(OFF + MISMATCH), JOURNAL: ran(OFF * 3)})
    log = read_driver_log(source)
    assert (log.known, log.xids[0].count, log.mismatch) == (True, 3, ("2.22", "1.11"))


@pytest.mark.parametrize(
    "journal",
    [ran("", 1, "No journal files were found.\n"), ran("", 124, "no end within 15 s"), ran("")],
)
def test_a_journal_with_less_than_the_buffer_is_not_believed(tmp_path: Path, journal: Ran) -> None:
    log = read_driver_log(host(tmp_path, {"dmesg": ran(OFF), JOURNAL: journal}))
    assert (log.known, len(log.xids)) == (True, 1)


def test_the_journal_where_the_buffer_is_refused(tmp_path: Path) -> None:
    refused = ran("", 1, "dmesg: read kernel buffer failed: Operation not permitted\n")
    said = {"dmesg": refused, JOURNAL: ran(OFF), "journalctl API mismatch": ran(MISMATCH)}
    log = read_driver_log(host(tmp_path, said))
    assert (log.known, len(log.xids), log.mismatch) == (True, 1, ("2.22", "1.11"))


def test_a_journalctl_without_grep(tmp_path: Path) -> None:
    refused = ran("", 1, "journalctl: unrecognized option '--grep=Xid'\n")
    log = read_driver_log(host(tmp_path, {JOURNAL: refused, "journalctl": ran(OFF)}))
    assert (log.known, len(log.xids)) == (True, 1)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"dmesg": ran("", 1, "Operation not permitted")},
        {
            "dmesg": ran("", 1, "Operation not permitted"),
            JOURNAL: ran("", 0, "Hint: You are currently not seeing messages from other users.\n"),
        },
        {JOURNAL: ran("", 1, "No journal files were opened due to insufficient permissions.\n")},
    ],
)
def test_a_log_that_may_not_be_read_is_not_an_empty_one(
    tmp_path: Path, said: Mapping[str, Ran]
) -> None:
    assert read_driver_log(host(tmp_path, said)) == DriverLog(known=False)


def test_nobody_looks_where_no_driver_is_loaded(tmp_path: Path) -> None:
    source = host(tmp_path, {"dmesg": ran(BOOT + OFF)}, module=False)
    assert read_driver_log(source) == DriverLog(known=None)
    assert source.asked == []


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_nothing_ends_in_a_traceback(rubbish: str) -> None:
    log = parse_log(f"NVRM: {rubbish}\nNVRM: Xid (PCI:{rubbish}): 79, \n{rubbish}\n{OFF}", 1.0)
    assert any((one.address, one.number) == (C1, 79) for one in log.xids)
    assert loads(DriverLog, dumps(log)) == log

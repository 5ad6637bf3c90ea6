"""The record for `provision status`, and the words to systemd."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest

from provision.host.files import Files
from provision.host.watch.notify import notify
from provision.host.watch.record import RECORD, Watched, WatchRecord, load_watch, write_record

ONE = WatchRecord(1, 7, {"chat.0": Watched("in", since=5.0, token_seconds=0.2)})


def changed(**changes: object) -> WatchRecord:
    watched = dataclasses.replace(ONE.instances["chat.0"], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(ONE, instances={"chat.0": watched})


def test_round_trip(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert load_watch(files) is None
    assert write_record(files, ONE, None) == ONE
    assert load_watch(files) == ONE
    files.write(RECORD, b"{half")
    assert load_watch(files) is None


@pytest.mark.parametrize(
    ("now", "written"),
    [
        (ONE, False),
        (changed(token_seconds=0.3), False),  # never twice the same
        (changed(token_seconds=0.5), True),
        (changed(token_seconds=None), True),
        (changed(busy=True), True),
        (changed(state="out", why="connection refused"), True),
        (dataclasses.replace(ONE, pid=8), True),
        (dataclasses.replace(ONE, instances={}), True),
    ],
)
def test_written_only_when_it_says_something_new(
    tmp_path: Path, now: WatchRecord, written: bool
) -> None:
    files = Files(tmp_path)
    write_record(files, ONE, None)
    inode = files.at(RECORD).stat().st_ino
    stands = write_record(files, now, ONE)
    assert (files.at(RECORD).stat().st_ino != inode) is written
    assert load_watch(files) == stands


@pytest.mark.parametrize("abstract", [False, True])
def test_notify_reaches_the_socket(tmp_path: Path, abstract: bool) -> None:
    path = f"@provision-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + path[1:] if abstract else path)
        listener.settimeout(5)
        assert notify("READY=1", {"NOTIFY_SOCKET": path})
        assert listener.recv(100) == b"READY=1"


def test_nobody_to_notify(tmp_path: Path) -> None:
    assert not notify("READY=1", {})
    assert not notify("READY=1", {"NOTIFY_SOCKET": "vsock:2:1"})
    assert not notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})

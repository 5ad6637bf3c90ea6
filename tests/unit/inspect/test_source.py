"""What may be asked of the live machine, and what a bare tree answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from provision.host.inspect.source import LiveSource, Source

from .tree import Machine


def test_a_bare_tree_answers_with_files_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/bin/tool", "x")
    source = Source(tmp_path)
    assert source.which("tool") == "/usr/bin/tool"
    assert source.which("none") is None
    assert source.may_run("/usr/bin/tool")
    assert not source.may_run("/usr/bin")
    assert not source.may_trust("/usr/bin/tool")
    assert source.run(["/usr/bin/tool", "-V"]).code == 127
    assert source.names_of_system() is None
    assert source.room("/") is None
    assert source.may_read("/usr/bin/tool") is None
    assert source.ask_nvml() is None


def test_the_running_machine(tmp_path: Path) -> None:
    source = LiveSource()
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho said\n")
    assert not source.may_run(str(program))
    program.chmod(0o755)
    assert source.may_run(str(program))
    assert not source.may_run(str(tmp_path))
    assert source.run([str(program)]).out == "said\n"
    assert source.which("sh") in ("/usr/bin/sh", "/bin/sh")
    assert source.byteorder() == sys.byteorder
    names = source.names_of_system()
    assert names
    assert names.hostname == os.uname().nodename
    room = source.room(str(tmp_path))
    assert room
    assert 0 < room.free <= room.size
    assert source.room(str(tmp_path / "none")) is None
    assert source.may_read(str(program)) is True
    assert source.may_read(str(tmp_path / "none")) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root a program of others is a danger")
def test_root_trusts_what_root_alone_can_change(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("x")
    program.chmod(0o755)
    source = LiveSource()
    assert source.may_trust(str(program))
    program.chmod(0o775)
    assert not source.may_trust(str(program))
    program.chmod(0o755)
    os.chown(program, 65534, 65534)
    assert not source.may_trust(str(program))
    assert not source.may_trust(str(tmp_path / "none"))


@pytest.mark.parametrize("path", ["", "relative", "/nul\0", "/" + "x" * 5000])
def test_odd_paths(path: str) -> None:
    source = LiveSource()
    assert source.text(path) is None
    assert source.names(path) == ()
    assert source.status(path) is None
    assert source.link(path) is None
    assert source.room(path) is None or path == ""
    assert source.may_read(path) is None
    assert not source.may_run(path)
    assert not source.may_trust(path)

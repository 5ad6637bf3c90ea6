"""Readers of live processes: recorded texts, and a process of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.host.proof import live
from provision.host.proof.live import (
    command_of,
    effective_cpus,
    environ_of,
    members_of,
    parse_cpus,
    parse_environ,
    parse_numa_maps,
    parse_policy,
    read_text,
    threads_of,
)
from provision.host.quantity import CpuSet

# Linux 6.1 in a machine of two nodes, a unit with NUMAPolicy=bind NUMAMask=1; cut
BOUND = """\
00400000 bind:1 file=/usr/bin/python3.11 mapped=541 active=0 N0=541 kernelpagesize_kB=4
01c2f000 bind:1 heap anon=602 dirty=602 N1=602 kernelpagesize_kB=4
7f2a3c000000 bind:1 anon=16000 dirty=16000 active=0 N1=16000 kernelpagesize_kB=4
7f2a40000000 bind:1 huge anon=4 dirty=4 N0=1 N1=3 kernelpagesize_kB=2048
7f2a48000000 default file=/dev/shm/x mapped=12 N0=12 kernelpagesize_kB=4
7ffd1b5c0000 bind:1 stack anon=5 dirty=5 N1=5 kernelpagesize_kB=4
7ffd1b5f0000 bind:1
"""


def test_numa_maps_count_anonymous_pages_alone_in_their_own_size() -> None:
    found = parse_numa_maps(BOUND)
    assert found.policies == {"bind:1": 6, "default": 1}
    assert found.anonymous_mib == {0: 2.0, 1: round((602 + 16000 + 5) * 4 / 1024 + 6, 1)}


@pytest.mark.parametrize(
    ("word", "kind", "nodes"),
    [
        ("default", "default", ()),
        ("bind:1", "bind", (1,)),
        ("bind:0-1", "bind", (0, 1)),
        ("prefer:1", "preferred", (1,)),
        ("prefer=static:1", "preferred", (1,)),
        ("bind=relative:0,2", "bind", (0, 2)),
        ("prefer (many):0-1", "preferred", (0, 1)),
        ("interleave:0-3", "interleave", (0, 1, 2, 3)),
        ("local", "local", ()),
    ],
)
def test_policies_in_the_kernels_words(word: str, kind: str, nodes: tuple[int, ...]) -> None:
    assert parse_policy(word) == (kind, nodes)


def test_prefer_many_is_one_policy() -> None:
    text = "7f00 prefer (many):0-1 anon=1 N0=1 kernelpagesize_kB=4\n"
    assert parse_numa_maps(text).policies == {"prefer (many):0-1": 1}


def test_environ_takes_the_first_of_a_name_and_keeps_newlines() -> None:
    found = parse_environ(b"A=1\0B=x=y\nz\0A=2\0broken\0E=\0")
    assert found == {"A": "1", "B": "x=y\nz", "E": ""}


def test_cpus_of_a_status() -> None:
    status = "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\n"
    assert parse_cpus(status) == CpuSet.parse("0-3,8")
    assert parse_cpus("Name:\tx\n") is None


THREADS = """
import threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    one = subprocess.Popen(
        [sys.executable, "-c", THREADS],
        env={"PATH": os.environ["PATH"], "MARK": "a b\nc"},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    )
    assert one.stdout and one.stdout.readline() == "up\n"
    yield one
    one.kill()
    one.wait()


def test_a_live_process(process: subprocess.Popen[str]) -> None:
    cpu = min(os.sched_getaffinity(0))
    threads = threads_of(process.pid)
    assert len(threads) == 4
    assert set(threads.values()) == {CpuSet.of([cpu])}
    assert (environ_of(process.pid) or {})["MARK"] == "a b\nc"
    assert "threading" in (command_of(process.pid) or "")


def test_the_environment_of_a_process_that_was_just_executed() -> None:
    """On a busy machine about every second one reads as empty right after its exec(2)."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        for number in range(60):
            mark = {"MARK": str(number)}
            with subprocess.Popen([sleep, "60"], env=mark) as one:
                found = environ_of(one.pid)
                one.kill()
            assert found == mark
    finally:
        for each in busy:
            each.kill()
            each.wait()


def test_a_process_with_no_environment_at_all_is_not_waited_for() -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    with subprocess.Popen([sleep, "60"], env={}) as one:
        found = environ_of(one.pid)
        one.kill()
        assert found == {}
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        assert not environ_of(one.pid)  # a zombie: by the kernel's version none, or an empty one
        assert "State:\tZ" in (read_text(one.pid, "status") or "")


def test_a_process_that_is_being_executed_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end of the environment is 0; that it never comes to be is the same as none at all."""
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "stat").write_text(f"7 (a) b) R {' '.join(['0'] * 49)}\n")
    (folder / "environ").write_bytes(b"")

    def lay_out() -> None:
        time.sleep(0.05)
        (folder / "environ").write_bytes(b"A=1\0")

    later = threading.Thread(target=lay_out)
    later.start()
    assert environ_of(7, tmp_path) == {"A": "1"}
    later.join()
    (folder / "environ").write_bytes(b"")
    monkeypatch.setattr(live, "_EXEC_SECONDS", 0.1)
    assert environ_of(7, tmp_path) == {}


def test_a_process_that_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert threads_of(gone.pid) == {}
    assert environ_of(gone.pid) is None and command_of(gone.pid) is None


def test_members_of_a_cgroup_with_groups_below(tmp_path: Path) -> None:
    unit = tmp_path / "unified/system.slice/system-ollama.slice/ollama@chat.0.service"
    (unit / "worker").mkdir(parents=True)
    (unit / "cgroup.procs").write_text("12\n7\n")
    (unit / "worker/cgroup.procs").write_text("99\n")
    path = "/system.slice/system-ollama.slice/ollama@chat.0.service"
    assert members_of(path, tmp_path) == (7, 12, 99)
    assert members_of("/system.slice/other.service", tmp_path) == ()
    assert members_of("/", tmp_path) == () and members_of("", tmp_path) == ()
    assert effective_cpus(path, tmp_path) is None
    (unit / "cpuset.cpus.effective").write_text("2-3\n")
    assert effective_cpus(path, tmp_path) == CpuSet.parse("2-3")

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.host.facts import Listener
from provision.host.inspect.running.listeners import parse_address, parse_sockets, read_listeners
from provision.host.inspect.source import LiveSource, Source

from .answers import Answers
from .tree import Machine

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   990        0 501 1 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 502 1 0
   2: 0100007F:2CAA 0100007F:D431 01 00000000:00000000 00:00000000 00000000   990        0 503 1 0
   3: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 504 1 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A \
00000000:00000000 00:00000000 00000000     0        0 601 1 0
   1: 0000000000000000FFFF00000100007F:1F40 00000000000000000000000000000000:0000 0A \
00000000:00000000 00:00000000 00000000     0        0 602 1 0
"""


def test_sockets_programs_and_units(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/net/tcp", TCP)
    machine.file("/proc/net/tcp6", TCP6)
    machine.process(1, "systemd", "0::/init.scope", 502, 504)
    machine.process(22, "sshd", "0::/system.slice/ssh.service", 502)
    machine.process(700, "nginx", "0::/system.slice/nginx.service", 601)
    machine.process(701, "nginx", "0::/system.slice/nginx.service", 601)
    machine.process(90, "ollama", "0::/system.slice/ollama@a.0.service", 9, 501, 503)
    assert read_listeners(Source(tmp_path)) == (
        Listener("0.0.0.0", 22, 22, "sshd", "ssh.service"),
        Listener("::", 80, 700, "nginx", "nginx.service"),
        Listener("127.0.0.1", 8000),
        Listener("127.0.0.1", 8080, 1, "systemd", "init.scope"),
        Listener("127.0.0.1", 11434, 90, "ollama", "ollama@a.0.service"),
    )


def test_nothing_recorded_is_nothing_listening(tmp_path: Path) -> None:
    assert read_listeners(Source(tmp_path)) == ()


def test_addresses() -> None:
    assert parse_address("0100007F") == "127.0.0.1"
    assert parse_address("00000000000000000000000001000000") == "::1"
    assert parse_address("B80D01200000000000000000FE000000") == "2001:db8::fe"


def test_broken_lines_are_passed_over() -> None:
    assert parse_sockets("a b c\n0: XX:1 y 0A 1 2 3 4 5 6\n") == ()


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_real_socket_is_found_with_its_process(family: int, address: str) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip(f"no {address} here")
        server.listen()
        port = server.getsockname()[1]
        found = [one for one in read_listeners(LiveSource()) if one.port == port]
    assert [one.address for one in found] == [address]
    assert found[0].pid == int(Path("/proc/self").readlink().name)
    assert found[0].program == Path("/proc/self/comm").read_text().strip()


def test_a_big_endian_machine(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/net/tcp", TCP.replace("0100007F", "7F000001"))
    machine.file("/proc/net/tcp6", TCP6.replace("FFFF00000100007F", "0000FFFF7F000001"))
    found = read_listeners(Answers(tmp_path, order="big"))
    assert [(one.address, one.port) for one in found] == [
        ("0.0.0.0", 22),
        ("::", 80),
        ("127.0.0.1", 8000),
        ("127.0.0.1", 8080),
        ("127.0.0.1", 11434),
    ]
    assert parse_address("20010DB80000000000000000000000FE", "big") == "2001:db8::fe"


@given(st.lists(st.sampled_from((0, 0, 1, 0xDB8, 0xFFFF)), min_size=8, max_size=8))
def test_addresses_are_written_as_the_standard_has_it(groups: list[int]) -> None:
    packed = b"".join(group.to_bytes(2, "big") for group in groups)
    address = ipaddress.IPv6Address(packed)
    assert parse_address(packed.hex().upper(), "big") == str(address.ipv4_mapped or address)


def test_threads_of_the_kernel_are_not_looked_into(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/net/tcp", TCP)
    machine.file("/proc/2/comm", "kthreadd\n")
    machine.file("/proc/2/task/2/children", "3 4 700\n")
    for pid in (3, 700):
        machine.process(pid, "kworker/0:0", "0::/", 502)
    machine.process(22, "sshd", "0::/system.slice/ssh.service", 502)
    by_port = {one.port: one.pid for one in read_listeners(Source(tmp_path))}
    assert by_port[22] == 22
    # In a container PID 2 is a process like others.
    machine.file("/proc/2/comm", "bash\n")
    by_port = {one.port: one.pid for one in read_listeners(Source(tmp_path))}
    assert by_port[22] == 3


def test_the_walk_ends_when_every_socket_has_its_process(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/net/tcp", TCP)
    machine.process(1, "systemd", "0::/init.scope", 501)
    machine.process(50, "all", "0::/system.slice/all.service", 501, 502, 504)
    machine.process(60, "later", "0::/system.slice/later.service", 7, 8)

    class Watched(Source):
        def names(self, folder: str) -> tuple[str, ...]:
            looked.append(folder)
            return super().names(folder)

    looked: list[str] = []
    assert {one.pid for one in read_listeners(Watched(tmp_path))} == {50}
    assert "/proc/50/fd" in looked
    assert not {"/proc/1/fd", "/proc/60/fd"} & set(looked)


def test_a_socket_that_only_the_kernel_holds(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/net/tcp", TCP.replace(" 501 1 0", " 0 1 0"))
    machine.process(9, "x", "0::/", 0)
    ports = {one.port: one.pid for one in read_listeners(Source(tmp_path))}
    assert ports == {22: None, 8080: None, 11434: None}


@pytest.mark.parametrize(
    "inode", ["9" * 6000, "\u0665", "-1", "x"], ids=["huge", "arabic", "negative", "word"]
)
def test_inodes_that_are_none(tmp_path: Path, inode: str) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/net/tcp", TCP)
    machine.file("/proc/9/comm", "x")
    machine.link("/proc/9/fd/3", f"socket:[{inode[:200]}]")
    assert {one.pid for one in read_listeners(Source(tmp_path))} == {None}
    assert parse_sockets(f"0: 0100007F:0016 0:0 0A 0 0 0 0 0 {inode} 1") == ()

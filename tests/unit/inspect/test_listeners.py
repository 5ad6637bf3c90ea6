from __future__ import annotations

import socket
from pathlib import Path

import pytest

from provision.host.facts import Listener
from provision.host.inspect.listeners import parse_address, parse_sockets, read_listeners
from provision.host.inspect.tree import Tree

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


@pytest.mark.skipif("sys.byteorder != 'little'")
def test_sockets_programs_and_units(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/proc/net/tcp", TCP)
    machine.file("/proc/net/tcp6", TCP6)
    machine.process(1, "systemd", "0::/init.scope", 502, 504)
    machine.process(22, "sshd", "0::/system.slice/ssh.service", 502)
    machine.process(700, "nginx", "0::/system.slice/nginx.service", 601)
    machine.process(701, "nginx", "0::/system.slice/nginx.service", 601)
    machine.process(90, "ollama", "0::/system.slice/ollama@a.0.service", 9, 501, 503)
    assert read_listeners(machine.tree) == (
        Listener("0.0.0.0", 22, 22, "sshd", "ssh.service"),
        Listener("::", 80, 700, "nginx", "nginx.service"),
        Listener("127.0.0.1", 8000),
        Listener("127.0.0.1", 8080, 1, "systemd", "init.scope"),
        Listener("127.0.0.1", 11434, 90, "ollama", "ollama@a.0.service"),
    )


def test_nothing_recorded_is_nothing_listening(tmp_path: Path) -> None:
    assert read_listeners(Machine(tmp_path).tree) == ()


@pytest.mark.skipif("sys.byteorder != 'little'")
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
        found = [one for one in read_listeners(Tree()) if one.port == port]
    assert [one.address for one in found] == [address]
    assert found[0].pid == int(Path("/proc/self").readlink().name)
    assert found[0].program == Path("/proc/self/comm").read_text().strip()

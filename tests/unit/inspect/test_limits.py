from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import Limits
from provision.host.inspect.source import Room, Source
from provision.host.inspect.system.limits import parse_defaults, read_limits, shared_memory_mib

from .answers import Answers
from .tree import Machine

ASK = (
    "/usr/bin/systemctl show --property=DefaultLimitMEMLOCK,DefaultLimitMEMLOCKSoft,"
    "DefaultLimitNOFILE,DefaultLimitNOFILESoft"
)
SHOW = """\
DefaultLimitNOFILE=524288
DefaultLimitNOFILESoft=1024
DefaultLimitMEMLOCK=8388608
DefaultLimitMEMLOCKSoft=8388608
"""


def _host(tmp_path: Path, show: str, code: int = 0, shm: int | None = None) -> Answers:
    Machine(tmp_path).file("/usr/bin/systemctl", "")
    rooms = {} if shm is None else {"/dev/shm": Room(shm, shm)}
    return Answers(tmp_path, said={ASK: show}, codes={ASK: code}, rooms=rooms)


def test_what_systemd_and_the_kernel_say(tmp_path: Path) -> None:
    Machine(tmp_path).file("/proc/sys/fs/file-max", "9223372036854775807\n")
    host = _host(tmp_path, SHOW, shm=64 << 20)
    assert read_limits(host) == Limits(8192, 1024, 524288, -1, 64)


def test_the_soft_limit_is_what_binds(tmp_path: Path) -> None:
    Machine(tmp_path).file("/proc/sys/fs/file-max", "811896\n")
    show = (
        "DefaultLimitMEMLOCK=infinity\nDefaultLimitMEMLOCKSoft=65536\nDefaultLimitNOFILE=infinity\n"
    )
    assert read_limits(_host(tmp_path, show)) == Limits(64, None, -1, 811896, None)
    # An old systemd has no soft ones, and prints infinity as a number.
    show = "DefaultLimitMEMLOCK=18446744073709551615\n"
    assert read_limits(_host(tmp_path, show)).memlock_kib == -1


def test_nothing_is_known_without_a_running_systemd(tmp_path: Path) -> None:
    assert read_limits(Source(tmp_path)) == Limits()
    assert read_limits(_host(tmp_path, SHOW, code=1)) == Limits()


@pytest.mark.parametrize(
    "text", ["", "no line", "DefaultLimitNOFILE=", "DefaultLimitNOFILE=" + "9" * 6000, "X=1\n"]
)
def test_rubbish(text: str) -> None:
    assert parse_defaults(text) == {}


def test_shared_memory() -> None:
    assert shared_memory_mib(25 << 30) == 25600
    assert shared_memory_mib(0) == -1  # size=0

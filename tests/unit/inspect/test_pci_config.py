from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.inspect.bus.config import (
    acs_redirect,
    answers,
    ids,
    port_kind,
    read_acs_redirect,
    read_header,
)

from .tree import DOWNSTREAM, ROOT_PORT, TO_PCI, UPSTREAM, Machine, port_config

REDIRECT = 0x04


def _acs(config: bytes) -> bool | None:
    return acs_redirect(lambda offset: config[offset : offset + 8])


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (ROOT_PORT, "root-port"),
        (UPSTREAM, "upstream"),
        (DOWNSTREAM, "downstream"),
        (TO_PCI, "bridge"),
        (8, "bridge"),
        (0, None),  # an endpoint is no port
        (None, "bridge"),
    ],
)
def test_port_kinds(kind: int | None, wanted: str | None) -> None:
    assert port_kind(port_config(kind)) == wanted
    assert port_kind(port_config(kind, size=256)) == wanted
    assert port_kind(port_config(kind, size=64)) is None  # not root
    assert port_kind(b"") is None


def test_lists_that_are_none_end() -> None:
    loop = bytearray(port_config(ROOT_PORT))
    loop[0x40:0x42] = bytes((0x01, 0x40))
    assert port_kind(bytes(loop)) is None
    into_header = bytearray(port_config(ROOT_PORT))
    into_header[0x34] = 0x20
    assert port_kind(bytes(into_header)) is None
    assert port_kind(b"\xff" * 256) is None


def test_whether_a_device_answers() -> None:
    assert answers(port_config(ROOT_PORT)) is True
    assert answers(b"\xff" * 4096) is False
    assert answers(b"\xff" * 64) is False
    virtual = b"\xff" * 4 + bytes(60)  # a virtual function has ones for ids
    assert answers(virtual) is True
    assert answers(b"\xff" * 63) is None
    assert answers(b"") is None


def test_ids() -> None:
    assert ids(port_config(ROOT_PORT, size=64)) == (0x1000, 0xC030)
    assert ids(b"\xff" * 4 + bytes(60)) is None
    assert ids(b"\x00\x10\x30\xc0") is None


def test_request_redirect() -> None:
    assert _acs(port_config(DOWNSTREAM, acs=0x1D)) is True
    assert _acs(port_config(DOWNSTREAM, acs=REDIRECT)) is True
    assert _acs(port_config(DOWNSTREAM, acs=0x5B)) is False  # all but the redirection
    assert _acs(port_config(DOWNSTREAM, acs=0)) is False
    assert _acs(port_config(DOWNSTREAM)) is False  # no such capability
    assert _acs(bytes(4096)) is False  # no extended capability at all


def test_request_redirect_is_not_told() -> None:
    assert _acs(port_config(DOWNSTREAM, acs=REDIRECT, size=64)) is None
    assert _acs(port_config(DOWNSTREAM, acs=REDIRECT, size=256)) is None
    assert _acs(port_config(DOWNSTREAM, acs=REDIRECT, size=0xF28)) is None
    assert _acs(b"\xff" * 4096) is None
    loop = bytearray(port_config(DOWNSTREAM))
    loop[0x100:0x104] = (0x0001 | 1 << 16 | 0x100 << 20).to_bytes(4, "little")
    assert _acs(bytes(loop)) is None
    below = bytearray(port_config(DOWNSTREAM))
    below[0x100:0x104] = (0x0001 | 1 << 16 | 0x40 << 20).to_bytes(4, "little")
    assert _acs(bytes(below)) is None


def test_reading(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.data("/port/config", port_config(DOWNSTREAM, acs=REDIRECT))
    assert read_header(machine.tree, "/port") == port_config(DOWNSTREAM, acs=REDIRECT)[:256]
    assert read_acs_redirect(machine.tree, "/port") is True
    assert read_acs_redirect(machine.tree, "/none") is None
    machine.file("/port/power_state", "D0\n")
    assert len(read_header(machine.tree, "/port")) == 256


def test_a_device_that_sleeps_is_not_woken(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.data("/gpu/config", port_config(DOWNSTREAM))
    machine.file("/gpu/power_state", "D3cold\n")
    assert read_header(machine.tree, "/gpu") == b""

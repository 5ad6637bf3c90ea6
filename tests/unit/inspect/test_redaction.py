"""Redaction: no name of the machine is left, and the facts are the same under other names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from provision.host.document import to_plain
from provision.host.facts import Facts, InspectRequest
from provision.host.inspect.host import look
from provision.host.inspect.recording.packing import pack
from provision.host.inspect.recording.record import record, replay
from provision.host.inspect.recording.recorder import Recorder
from provision.host.inspect.recording.recording import Command, Commands, Kept, Recording
from provision.host.inspect.recording.redaction import Redaction
from provision.host.inspect.recording.unpacking import unpacked
from provision.host.inspect.source import Names

from .whole_machine import (
    ADDRESS,
    AMD_ID,
    HOST,
    MAC,
    MIG,
    MODEL,
    SERIAL,
    USER,
    UUIDS,
    told,
    whole_machine,
)

_REQUEST = InspectRequest(paths=("/etc/llm/keys", "/srv/models", MODEL))
_NAMES = (
    HOST,
    "rack7",
    "nas-02",
    SERIAL,
    "1652823055915",
    *(uuid.partition("-")[2] for uuid in UUIDS),
    MIG.partition("-")[2],
    str(AMD_ID),
    f"{AMD_ID:x}",
    str(AMD_ID ^ 0x77),
    "69200A11B7",
    "S411795X2B04517",
    MAC,
    MAC.replace(":", ""),
    "b8ce:f603:003a:914c",
    "b8-ce-f6-ff-ff-3a-91-4c",
    "MT2116X09411",
    "3f9d20c61ab5e748",
    ADDRESS,
    "1129A8C0",
    USER,
    "6d0c2f4be8aa4c19b3d57f1e90a2c485",
    "7be1c3f5-9a00-4d0c-8d57-2f40b1a9ce04",
)


def _kept(root: Path) -> tuple[Kept, Facts]:
    machine = whole_machine(root)
    machine.file(MODEL, "no model")
    machine.file("/sys/class/infiniband/mlx5_0/node_guid", "b8ce:f603:003a:914c\n")
    machine.file("/sys/class/net/eth0/address", f"{MAC}\n")
    recorder = Recorder.of(told(root), _REQUEST)
    facts = look(_REQUEST, recorder)
    for path in (
        "/etc/machine-id",
        "/sys/class/dmi/id/product_serial",
        "/sys/class/infiniband/mlx5_0/node_guid",
        "/sys/class/net/eth0/address",
        "/sys/bus/pci/devices/0000:9b:00.0/unique_id",
        "/proc/sys/kernel/hostname",
    ):
        assert recorder.text(path), path
    for words in (["lspci", "-vvv"], ["nvidia-smi", "-q"]):
        assert recorder.run(words).ok
    return recorder.kept("1.0"), facts


def _sorted(plain: Any) -> Any:
    """The same with every list in one order: other names sort in another."""
    if isinstance(plain, dict):
        return {key: _sorted(one) for key, one in sorted(plain.items())}
    return sorted(map(_sorted, plain), key=repr) if isinstance(plain, list) else plain


def test_the_facts_are_the_same_under_other_names(tmp_path: Path) -> None:
    kept, facts = _kept(tmp_path / "host")
    redaction = Redaction(kept)
    pack(redaction.kept(kept), tmp_path / "a.tar.xz")
    again = replay(tmp_path / "a.tar.xz")
    assert _sorted(to_plain(again)) == _sorted(redaction.plain(to_plain(facts)))
    assert again != facts
    assert len(again.stable.gpus) == 3
    assert len(again.volatile.gpu_processes) == 1
    assert [gpu.address for gpu in again.stable.gpus] == [gpu.address for gpu in facts.stable.gpus]


def test_no_name_of_the_machine_is_left(tmp_path: Path) -> None:
    kept, _ = _kept(tmp_path / "host")
    pack(kept, tmp_path / "plain.tar.xz")
    pack(Redaction(kept).kept(kept), tmp_path / "redacted.tar.xz")
    found: dict[str, bytes] = {}
    for name in ("plain", "redacted"):
        with unpacked(tmp_path / f"{name}.tar.xz") as folder:
            paths = sorted(folder.rglob("*"))
            parts = [str(path.relative_to(folder)).encode() for path in paths]
            parts += [str(path.readlink()).encode() for path in paths if path.is_symlink()]
            parts += [path.read_bytes() for path in paths if path.is_file()]
            found[name] = b"\0".join(parts)
    for word in _NAMES:
        assert word.encode() in found["plain"], word
        assert word.lower().encode() not in found["redacted"].lower(), word


def test_pseudonyms_have_the_form_of_what_they_replace(tmp_path: Path) -> None:
    kept, _ = _kept(tmp_path / "host")
    text = Redaction(kept).text
    assert re.fullmatch(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text(UUIDS[0]))
    assert text(UUIDS[0]) != UUIDS[0]
    assert text(f"x {UUIDS[0]}") == f"x {text(UUIDS[0])}"
    assert re.fullmatch(r"\d{13}", text(SERIAL))
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", text(MAC))
    assert text(f"enx{MAC.replace(':', '')}") == "enx" + text(MAC).replace(":", "")
    assert re.fullmatch(r"198\.(18|19)\.\d+\.\d+", text(ADDRESS))
    assert re.fullmatch(r"2001:db8:[0-9a-f:]+", text("fd00:1234::5"))
    assert re.fullmatch(r"/home/user-[0-9a-f]{6}/models/tiny\.gguf", text(MODEL))
    assert re.fullmatch(r"host-[0-9a-f]{6}", text(HOST))
    assert int(text(f"{AMD_ID:x}"), 16) == int(text(str(AMD_ID)))
    assert text(f"GPU-{AMD_ID:016x}") == f"GPU-{int(text(str(AMD_ID))):016x}"


@pytest.mark.parametrize(
    "text",
    [
        "0000:18:00.0 is a PCI address, 00000000:18:00.0 too, and 10000:e1:00.0",
        "127.0.0.1:11434 [::1]:80 0.0.0.0 :: 255.255.255.0",
        "00:00:00:00:00:00 ff:ff:ff:ff:ff:ff",
        "ffffffff,ffffffff 00000000000000000000000000000000",
        "12:30:45 0::/system.slice/a.service 1:name=systemd:/",
        "version: 1.2.3.4, Firmware Version : 90.2.5.1, VBIOS 96.00.61.00.01",
        "libfoo.so.1.2.3.4 580.95.05 6.1.0-18-amd64",
        "/home /homes/x /sys/devices/system/node/node0",
        "Serial Number : N/A",
        "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
    ],
)
def test_what_is_nobodys_name_stays(text: str, tmp_path: Path) -> None:
    kept, _ = _kept(tmp_path / "host")
    assert Redaction(kept).text(text) == text


def test_nothing_can_be_guessed_from_a_value(tmp_path: Path) -> None:
    kept, _ = _kept(tmp_path / "host")
    first, second = Redaction(kept), Redaction(kept)
    values = (UUIDS[0], SERIAL, MAC, HOST, MODEL)
    assert [first.text(one) for one in values] == [first.text(one) for one in values]
    assert all(first.text(one) != second.text(one) for one in values)


def test_a_host_with_the_name_of_something_else_is_renamed_where_its_name_stands() -> None:
    recording = Recording(1, "1.0", False, InspectRequest(), names=Names("node", "6.1", "x86_64"))
    output = Command(("/bin/x",), 0, "Node 0 of node node0 on nas7:/x", "")
    kept = Kept(recording, Commands(1, (output,)), files={"/proc/sys/kernel/hostname": b"node\n"})
    made = Redaction(kept).kept(kept)
    assert made.recording.names is not None
    assert made.recording.names.hostname.startswith("host-")
    name = made.recording.names.hostname.encode()
    assert made.files["/proc/sys/kernel/hostname"] == name + b"\n"
    assert made.commands.commands[0].out == output.out
    assert made.recording.redacted


def test_the_serial_number_in_a_configuration_space() -> None:
    space = bytearray(4096)
    space[0x100:0x104] = (0x0001 | 1 << 16 | 0x148 << 20).to_bytes(4, "little")
    space[0x148:0x14C] = (0x0003 | 1 << 16 | 0x200 << 20).to_bytes(4, "little")
    space[0x14C:0x154] = bytes.fromhex("4c913afffff6ceb8")
    space[0x200:0x204] = (0x0003 | 1 << 16 | 0x148 << 20).to_bytes(4, "little")  # and back
    space[0x204:0x20C] = b"\x01" * 8
    path = "/sys/devices/pci0000:16/0000:16:01.0/config"
    recording = Recording(1, "1.0", False, InspectRequest())
    for data in (bytes(space), bytes(space[:0x150]), bytes(space[:64]), b""):
        kept = Kept(recording, Commands(1), files={path: data})
        made = Redaction(kept).kept(kept).files[path]
        assert len(made) == len(data)
        assert made[:0x148] == data[:0x148]
        assert len(data) < 4096 or made[0x14C:0x154] != data[0x14C:0x154]
        assert made[0x20C:] == data[0x20C:]


def test_a_full_host_name() -> None:

    recording = Recording(
        1, "1.0", False, InspectRequest(), names=Names("gpu-17.corp.example.com", "6.1", "x86_64")
    )
    output = Command(("/bin/x",), 0, "gpu-17 gpu-17.corp.example.com gpu-170", "")
    kept = Kept(recording, Commands(1, (output,)))
    said = Redaction(kept).kept(kept).commands.commands[0].out.split()
    assert said[1].startswith(f"{said[0]}.")
    assert "corp" not in said[1]
    assert said[2] == "gpu-170"


def test_the_recording_of_this_machine_under_other_names(tmp_path: Path) -> None:
    facts = record(InspectRequest(), tmp_path / "a.tar.xz", "1.0", redact=True)
    again = replay(tmp_path / "a.tar.xz")
    assert again.stable.system.hostname != facts.stable.system.hostname
    assert again.stable.cpu == facts.stable.cpu
    assert again.stable.numa_nodes == facts.stable.numa_nodes
    assert again.stable.bridges == facts.stable.bridges

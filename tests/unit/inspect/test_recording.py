"""Recorded hosts: the replay gives the same facts, keeps no secrets, and trusts no archive."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from provision.cli.ending import code_of
from provision.host.document import dumps, loads, to_plain
from provision.host.errors import ProvisionError
from provision.host.facts import Facts, InspectRequest
from provision.host.inspect.host import look
from provision.host.inspect.recording.record import record, replay
from provision.host.inspect.recording.recorder import Recorder
from provision.host.inspect.recording.recording import Recording
from provision.host.inspect.recording.replay import Replay
from provision.host.inspect.recording.unpacking import unpacked
from provision.host.inspect.source import LiveSource, Source
from tests.standin.build import table_text, uuid_of

from .driver import Driver
from .tree import Machine
from .whole_machine import told, whole_machine


def _members(archive: Path) -> dict[str, bytes]:
    """Every file of an archive, and links as their targets."""
    with tarfile.open(archive) as tar:
        return {
            one.name: one.linkname.encode() if one.issym() else _content(tar, one)
            for one in tar.getmembers()
            if not one.isdir()
        }


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def test_the_replay_of_this_machine_gives_the_same_facts(tmp_path: Path) -> None:
    archive = tmp_path / "host.tar.xz"
    request = InspectRequest(paths=("/etc/passwd", "/srv", "/no/such"), ports=(80,))
    facts = record(request, archive, "1.0")
    assert facts.stable.system.hostname == os.uname().nodename
    assert dumps(replay(archive)) == dumps(facts)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["host.tar.xz"]


def test_a_synthetic_machine_with_everything_on_it(tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    request = InspectRequest(paths=("/etc/llm/keys", "/srv/models"))
    source = told(tmp_path / "host")
    plain = look(request, source)
    assert [gpu.vendor for gpu in plain.stable.gpus] == ["nvidia", "nvidia", "amd"]
    assert [one.port for one in plain.volatile.listeners] == [8000, 11434]
    facts = record(request, tmp_path / "a.tar.xz", "1.0", source=source)
    assert dumps(facts) == dumps(plain)
    assert dumps(replay(tmp_path / "a.tar.xz")) == dumps(plain)


def test_with_gpus_of_the_stand_in(driver: Driver, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from provision.host.document import dumps\n"
        "from provision.host.facts import InspectRequest\n"
        "from provision.host.inspect.recording.record import record, replay\n"
        f"archive = Path({str(tmp_path / 'gpus.tar.xz')!r})\n"
        "facts = dumps(record(InspectRequest(), archive, '1.0'))\n"
        "assert dumps(replay(archive)) == facts\n"
        "print(facts)\n"
    )
    buses = ("0000:17:00.0", "0000:ca:00.0")
    table = table_text(buses, "3090", nvlinks={(0, 1): 4})
    facts = loads(Facts, driver.run(code, table))
    assert [gpu.uuid for gpu in facts.stable.gpus] == [uuid_of(bus) for bus in buses]
    # Here, without that driver, from the archive alone.
    assert replay(tmp_path / "gpus.tar.xz") == facts
    assert facts.stable.gpu_links[0].nvlinks == 4


def test_the_same_machine_gives_the_same_bytes(tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    for name in ("a", "b"):
        record(InspectRequest(), tmp_path / name, "1.0", source=told(tmp_path / "host"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with tarfile.open(tmp_path / "a") as tar:
        members = tar.getmembers()
    assert len({(one.mtime, one.uid, one.gid, one.uname, one.gname) for one in members}) == 1


def test_the_files_are_a_tree_that_people_can_browse(tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    record(InspectRequest(), tmp_path / "a.tar.xz", "1.0", source=told(tmp_path / "host"))
    with unpacked(tmp_path / "a.tar.xz") as folder:
        files = folder / "files"
        assert (files / "sys/bus/pci/devices/0000:18:00.0").is_symlink()
        assert (files / "sys/bus/pci/devices/0000:18:00.0/vendor").read_text() == "0x10de\n"
        assert (files / "proc/self").readlink() == Path("4242")
        facts = look(InspectRequest(), Source(files))  # as `inspect --sysroot` does
        assert len(facts.stable.accelerators) == 3
        assert [str(core) for core in facts.stable.cpu.cores] == ["0,4", "1,5", "2,6", "3,7"]
    assert not folder.exists()


def test_what_is_kept_for_later_inspections(tmp_path: Path) -> None:
    machine = whole_machine(tmp_path / "host")
    machine.file("/sys/devices/system/cpu/cpu0/cache/index3/size", "32768K\n")
    machine.file("/sys/devices/system/cpu/cpu0/cpuidle/state0/usage", "99\n")
    machine.file("/sys/devices/pci0000:16/0000:16:01.0/rom", "x" * 100)
    record(InspectRequest(), tmp_path / "a.tar.xz", "1.0", source=told(tmp_path / "host"))
    members = _members(tmp_path / "a.tar.xz")
    files = "recording/files"
    assert members[f"{files}/sys/devices/system/cpu/cpu0/cache/index3/size"] == b"32768K\n"
    assert f"{files}/sys/devices/system/cpu/cpu0/cpuidle/state0/usage" not in members
    assert members[f"{files}/sys/devices/pci0000:16/0000:16:01.0/rom"] == b""
    argvs = [one["argv"] for one in json.loads(members["recording/commands.json"])["commands"]]
    assert ["/usr/bin/lspci", "-vvv", "-nn"] in argvs
    assert ["/usr/bin/nvidia-smi", "-q"] in argvs


def test_no_secret_is_in_a_recording(tmp_path: Path) -> None:
    machine = whole_machine(tmp_path / "host")
    machine.file(
        "/etc/systemd/system/node_exporter.service",
        "[Service]\nEnvironment=KEY=sk-hidden-6 \\\n OTHER=sk-hidden-7\n"
        "ExecStart=/opt/bin/node_exporter --password=sk-hidden-8\n",
    )
    machine.file("/opt/bin/node_exporter", "x")
    request = InspectRequest(paths=("/etc/llm/keys", "/etc/llm"), binaries=("/opt/bin/x",))
    source = told(tmp_path / "host")
    facts = record(request, tmp_path / "a.tar.xz", "1.0", source=source)
    assert dumps(facts) == dumps(look(request, source))  # and yet nothing is missing
    members = _members(tmp_path / "a.tar.xz")
    everything = b"\0".join([*members.values(), *(name.encode() for name in members)])
    for secret in (b"sk-hidden", b"diary", b"0xffffffffc0a31000", b"0505A8C0"):
        assert secret not in everything
    assert members["recording/files/etc/passwd"].startswith(b"ollama:")
    assert b"root" not in members["recording/files/etc/passwd"]
    assert members["recording/files/proc/900/fd/3"] == b"socket:[70001]"
    assert "recording/files/proc/901/fd/4" not in members  # a socket that does not listen
    assert facts.stable.exporters


def test_a_file_is_read_once_and_remembered(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/now", "1\n")
    recorder = Recorder.of(Source(tmp_path), InspectRequest())
    assert recorder.number("/sys/now") == 1
    machine.file("/sys/now", "2\n")
    machine.file("/sys/later", "3\n")
    assert recorder.number("/sys/now") == 1
    assert recorder.names("/sys") == ("later", "now")
    (tmp_path / "sys/now").unlink()
    assert recorder.names("/sys") == ("later", "now")
    assert recorder.is_file("/sys/now")


def _replayed(recorder: Recorder, tmp_path: Path, check: Callable[[Replay], None]) -> None:
    from provision.host.inspect.recording.packing import pack

    pack(recorder.kept("1.0"), tmp_path / "x.tar.xz")
    with unpacked(tmp_path / "x.tar.xz") as folder:
        check(Replay.of(folder))


def test_what_was_listed_but_not_read_is_unknown(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "host")
    machine.file("/sys/read", "1\n")
    machine.file("/sys/listed", "2\n")
    machine.file("/sys/folder/inner", "3\n")
    machine.link("/sys/link", "folder")
    os.mkfifo(tmp_path / "host/sys/pipe")
    recorder = Recorder.of(Source(tmp_path / "host"), InspectRequest())
    assert recorder.text("/sys/read") == "1"
    assert recorder.names("/sys") == ("folder", "link", "listed", "pipe", "read")

    def check(source: Replay) -> None:
        assert source.names("/sys") == recorder.names("/sys")
        assert source.text("/sys/read") == "1"
        assert source.text("/sys/listed") is None
        assert source.is_file("/sys/listed")
        assert not source.is_file("/sys/pipe")
        assert source.text("/sys/pipe") is None
        assert source.is_folder("/sys/link")
        assert source.link("/sys/link") == "folder"
        assert source.real("/sys/link/inner") == "/sys/folder/inner"
        assert source.text("/sys/folder/inner") is None
        assert source.run(["/bin/true"]).code == 127
        assert source.room("/sys") is None
        assert source.ask_nvml() is None

    _replayed(recorder, tmp_path, check)


def test_every_door_is_recorded(tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "program").write_text("#!/bin/sh\necho $0 out\necho err >&2\nexit 3\n")
    (host / "program").chmod(0o755)
    (host / "secretive").write_text("x")
    paths = [str(host), str(host / "program"), str(host / "none"), str(host / "secretive")]
    recorder = Recorder.of(LiveSource(), InspectRequest())

    def answers(source: Source) -> list[object]:
        ran = source.run([paths[1]])
        return [
            (ran.code, ran.out, ran.err),
            source.which("sh"),
            source.which("no-such-program"),
            source.names_of_system(),
            source.byteorder(),
            *((room := source.room(path)) and room.size for path in paths),
            *(source.may_read(path) for path in paths),
            *(source.may_run(path) for path in paths),
            *(source.may_trust(path) for path in paths),
            *(source.is_file(path) for path in paths),
            *(source.is_folder(path) for path in paths),
            *(source.real(path) for path in [*paths, "/proc/self", "/../x"]),
            *((status := source.status(path)) and tuple(status)[:8] for path in paths),
            source.status("/dev/null") is not None and not source.is_file("/dev/null"),
        ]

    told = answers(recorder)
    assert told == answers(LiveSource())
    # The room left changes from one look to the next; a replay has that of the recording.
    free = recorder.room(paths[0])
    assert free is not None
    _replayed(
        recorder,
        tmp_path,
        lambda source: _same([*answers(source), source.room(paths[0])], [*told, free]),
    )


def _same(one: object, two: object) -> None:
    assert one == two


def test_of_a_model_only_the_header_is_kept(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "host")
    weights = os.urandom(3 << 20)
    header = json.dumps(
        {"w": {"dtype": "BF16", "shape": [1024, 1536], "data_offsets": [0, 3 << 20]}}
    ).encode()
    machine.file("/srv/m/config.json", '{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "host/srv/m/model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + weights
    )
    request = InspectRequest(paths=("/srv/m",))
    facts = record(request, tmp_path / "a.tar.xz", "1.0", source=Source(tmp_path / "host"))
    model = facts.stable.paths[0].model
    assert model
    assert model.parameters == 1024 * 1536
    (again,) = replay(tmp_path / "a.tar.xz").stable.paths
    assert again == facts.stable.paths[0]
    members = _members(tmp_path / "a.tar.xz")
    assert members["recording/files/srv/m/model.safetensors"][8:] == header
    partial = json.loads(members["recording/recording.json"])["partial"]
    assert partial["/srv/m/model.safetensors"]["size"] == 8 + len(header) + len(weights)


def test_parts_of_a_large_file(tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    data = os.urandom(4 << 20)
    (host / "large").write_bytes(data)
    recorder = Recorder.of(Source(host), InspectRequest())
    spans = ((0, 100), (50, 100), (1 << 20, 10), ((4 << 20) - 5, 100), (5 << 20, 10))
    for offset, most in spans:
        assert recorder.head("/large", most, offset) == data[offset : offset + most]

    def check(source: Replay) -> None:
        for offset, most in spans:
            assert source.head("/large", most, offset) == data[offset : offset + most]
        assert source.head("/large", 10, 2 << 20) is None  # not zeros
        assert source.is_file("/large")
        status = source.status("/large")
        assert status
        assert status.st_size == len(data)

    _replayed(recorder, tmp_path, check)


def test_another_request_on_a_recording(tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    archive = tmp_path / "a.tar.xz"
    record(InspectRequest(paths=("/etc/llm",)), archive, "1.0", source=told(tmp_path / "host"))
    assert [one.kind for one in replay(archive).stable.paths] == ["directory"]
    other = replay(archive, InspectRequest(paths=("/etc/llm", "/etc/llm/other", "/srv/models")))
    kinds = {one.path: one.kind for one in other.stable.paths}
    assert kinds["/etc/llm"] == "directory"
    assert kinds["/etc/llm/other"] is None


@pytest.mark.parametrize(
    ("document", "change"),
    [
        ("recording.json", {"version": 2}),
        ("recording.json", {"surplus": 1}),
        ("recording.json", {"stubs": {"/x": "made up"}}),
        ("commands.json", {"commands": [{"argv": "not a list"}]}),
        ("nvml.json", {"gpus": [{"index": "zero"}]}),
    ],
)
def test_broken_documents(document: str, change: dict[str, object], tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    record(InspectRequest(), tmp_path / "a.tar.xz", "1.0", source=told(tmp_path / "host"))
    with unpacked(tmp_path / "a.tar.xz") as folder:
        plain = json.loads((folder / document).read_text())
        (folder / document).write_text(json.dumps({**plain, **change}))
        with pytest.raises(ProvisionError, match=document):
            replay(folder)


def test_made_up_numbers_in_the_documents(tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    request = InspectRequest(paths=("/srv/models",))
    record(request, tmp_path / "a.tar.xz", "1.0", source=told(tmp_path / "host"))
    with unpacked(tmp_path / "a.tar.xz") as folder:
        text = (folder / "recording.json").read_text()
        recording = loads(Recording, text)
        absurd = {
            path: replace(one, mode=1 << 70, size=-(1 << 70))
            for path, one in recording.status.items()
        }
        plain = to_plain(replace(recording, status=absurd))
        plain["partial"] = {
            "/proc/meminfo": {
                "size": -5,
                "segments": [{"offset": -(1 << 70), "length": 1 << 80, "name": "../../x"}],
            }
        }
        (folder / "recording.json").write_text(json.dumps(plain))
        facts = replay(folder)
    assert loads(Facts, dumps(facts)) == facts
    assert facts.stable.system.memory_mib is None


# The command.


def test_the_command_records_and_replays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = str(tmp_path / "host.tar.xz")
    assert code_of(["inspect", "--record", archive, "--json"]) == 0
    recorded = capsys.readouterr()
    (line,) = [one for one in recorded.err.splitlines() if one.startswith("recorded")]
    assert archive in line
    assert "KiB" in line
    assert "--replay" in line
    assert "--redact" in line
    assert code_of(["inspect", "--replay", archive, "--json"]) == 0
    assert capsys.readouterr().out == recorded.out
    assert code_of(["inspect", "--record", archive]) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--redact"],
        ["--record", "a", "--replay", "/tmp"],
        ["--record", "a", "--sysroot", "/tmp"],
        ["--replay", "/tmp", "--sysroot", "/tmp"],
        ["--replay", "/no/such/file"],
    ],
)
def test_options_that_do_not_go_together(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(["inspect", *words]) == 64
    assert "Traceback" not in capsys.readouterr().err


def test_an_archive_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="no folder"):
        record(InspectRequest(), tmp_path / "none/a.tar.xz", "1.0", source=Source(tmp_path))

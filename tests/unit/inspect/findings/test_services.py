"""What runs around the cards and what it lies on: security, storage, ports, services."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provision.host.facts import (
    Finding,
    GpuProcess,
    Listener,
    ModelFound,
    Mount,
    NginxFound,
    PathFound,
    Placed,
    RoomNow,
    Security,
    UnitNow,
)

from .machines import SYSTEM, Box, box, uuid

L40S = "NVIDIA L40S"
OURS = Placed("chat.0", "ollama", "ollama@chat.0.service", (uuid(0),), port=11500, ports=(11500,))


def test_selinux_before_nginx() -> None:
    strict = Security(selinux="enforcing", selinux_booleans={"httpd_can_network_connect": False})
    machine = box().stable_with(security=strict, nginx=NginxFound("/usr/sbin/nginx"))
    assert machine.told() == [("warning", "selinux-network")]
    assert machine.stable_with(nginx=None).told() == []
    for fine in (
        replace(strict, selinux="permissive"),
        replace(strict, selinux_booleans={"httpd_can_network_connect": True}),
        replace(strict, selinux_booleans={}),
    ):
        assert machine.stable_with(security=fine).told() == []


def test_programs_on_a_mount_without_execution() -> None:
    mounts = (Mount("/"), Mount("/srv", options=("rw", "noexec")), Mount("/srv/bin"))
    machine = box().stable_with(mounts=mounts).asked(venvs=("/srv/venv",), binaries=("/opt/x",))
    assert machine.told() == [("error", "noexec-mount")]
    assert machine.one("noexec-mount").evidence == "/srv/venv lies on /srv, which is mounted noexec"
    assert machine.asked(venvs=("/srv/bin/venv", "/srvother/venv")).told() == []


@pytest.mark.parametrize(
    ("free", "size", "path", "severity"),
    [
        (500, 100_000, False, "warning"),
        (8_000, 100_000, False, "note"),
        (8_000, 100_000, True, "warning"),
        (50_000, 4_000_000, True, "warning"),
        (150_000, 4_000_000, True, None),
        (20_000, 100_000, True, None),
        (None, 100_000, True, None),
    ],
)
def test_room_for_models(free: int | None, size: int, path: bool, severity: str | None) -> None:
    paths = (PathFound("/srv/m", "directory", mount="/srv"),) if path else ()
    machine = (
        box()
        .stable_with(mounts=(Mount("/srv", kind="ext4", size_mib=size),), paths=paths)
        .volatile_with(rooms=(RoomNow("/srv", free),))
    )
    assert machine.told() == ([(severity, "disk-full")] if severity else [])
    shm = machine.stable_with(mounts=(Mount("/srv", kind="tmpfs", size_mib=size),))
    assert shm.told() == []


def test_models_on_another_host() -> None:
    share = Mount("/srv", "nas:/models", "nfs4", network=True)
    machine = box().stable_with(mounts=(share,))
    assert machine.told() == [("note", "models-on-network")]
    assert "/srv is a network mount (nfs4 from nas:/models)" in machine.findings()[0].evidence
    assert machine.stable_with(mounts=(replace(share, network=None),)).told() == []


def test_models_that_are_not_whole() -> None:
    def model(**fields: object) -> Box:
        found = ModelFound("safetensors", **fields)  # type: ignore[arg-type]
        return box().stable_with(paths=(PathFound("/m", "directory", model=found),))

    missing = model(missing=("a-1", "a-2", "a-3", "a-4"), problem="x")
    assert missing.told() == [("error", "model-incomplete")]
    assert "/m lacks 4 files" in missing.one("model-incomplete").evidence
    assert "(a-1, a-2, a-3 ...)" in missing.one("model-incomplete").evidence
    assert model(problem="truncated").told() == [("warning", "model-unreadable")]
    assert model().told() == []


def test_ports_that_others_hold() -> None:
    foreign = Listener("0.0.0.0", 8000, 42, "python3", "other.service")
    machine = box().volatile_with(listeners=(foreign,)).asked(ports=(8000,))
    assert machine.told() == [("error", "port-clash")]
    evidence = machine.one("port-clash").evidence
    assert evidence == "port 8000 is listened on by python3 (PID 42) of other.service"
    assert machine.asked(ports=(8001,)).told() == []
    unknown = box().volatile_with(listeners=(Listener("::", 8000),)).asked(ports=(8000,))
    assert unknown.told() == [("warning", "port-clash")]
    assert not unknown.volatile_with(placed=(OURS,)).has("port-clash")
    nginx = (replace(foreign, unit="nginx.service"),)
    assert machine.volatile_with(listeners=nginx).told() == []


def test_ports_of_our_own_instances() -> None:
    own = Listener("127.0.0.1", 11500, 7, "ollama", OURS.unit)
    machine = box(L40S).volatile_with(placed=(OURS,), listeners=(own,))
    assert machine.asked(ports=(11500,)).told() == []
    taken = machine.volatile_with(listeners=(replace(own, unit="ollama@other.service"),))
    assert taken.told() == [("error", "port-clash")]
    stolen = machine.volatile_with(listeners=(replace(own, unit="nginx.service"),))
    assert stolen.told() == [("error", "port-clash")]


def test_two_listeners_of_one_program_are_one_finding() -> None:
    both = tuple(Listener(address, 8000, 42, "python3") for address in ("0.0.0.0", "::"))
    assert box().volatile_with(listeners=both).asked(ports=(8000,)).told() == [
        ("error", "port-clash")
    ]


def test_ports_that_outgoing_connections_may_take() -> None:
    assert box().asked(ports=(8000, 40000)).told() == [("note", "port-ephemeral")]
    assert "port 40000 lies within" in box().asked(ports=(40000,)).findings()[0].evidence
    assert box().asked(ports=(8000, 32767, 61000)).told() == []
    assert box().asked(ports=(40000,)).system_with(ephemeral_ports=()).told() == []


def test_ollamas_own_unit_beside_ours() -> None:
    vendor = UnitNow("ollama.service", "active", "enabled")
    machine = box(L40S).volatile_with(placed=(OURS,), units=(vendor,))
    assert machine.told() == [("warning", "ollama-vendor-unit")]
    assert "beside ollama@chat.0.service" in machine.findings()[0].evidence
    sleeping = (replace(vendor, active="inactive"),)
    assert "next boot" in machine.volatile_with(units=sleeping).findings()[0].consequence
    off = (replace(vendor, active="inactive", enabled="disabled"),)
    assert machine.volatile_with(units=off).told() == []
    assert box(L40S).volatile_with(units=(vendor,)).told() == []


def test_failed_units() -> None:
    units = (UnitNow("nginx.service", "failed"), UnitNow("nvidia-persistenced.service", "active"))
    machine = box().volatile_with(units=units)
    assert machine.told() == [("warning", "unit-failed")]
    assert "nginx.service has failed" in machine.findings()[0].evidence
    needless = (UnitNow("nvidia-fabricmanager.service", "failed"),)
    assert box(L40S).volatile_with(units=needless).told() == [("note", "unit-failed")]
    assert box().volatile_with(units=units[1:]).told() == []


def test_a_unit_that_fails_for_want_of_its_gpu_is_told_once() -> None:
    placed = (replace(OURS, gpus=(uuid(7),)),)
    units = (UnitNow(OURS.unit, "failed"), UnitNow("nginx.service", "failed"))
    machine = box(L40S).volatile_with(placed=placed, units=units[:1])
    assert machine.told() == [("error", "gpu-missing")]
    other = machine.volatile_with(units=units).one("unit-failed")
    assert other.evidence == "nginx.service has failed"
    here = machine.volatile_with(placed=(OURS,))
    assert here.told() == [("warning", "unit-failed")]


def test_updates_that_install_themselves() -> None:
    units = (UnitNow("unattended-upgrades.service", "active", "enabled"),)
    assert box(L40S).volatile_with(units=units).told() == [("note", "unattended-upgrades")]
    assert box().volatile_with(units=units).told() == []
    assert "xargs apt-mark hold" in (
        box(L40S).volatile_with(units=units).one("unattended-upgrades").remedy or ""
    )
    red = box(L40S).system_with(distribution="rocky 9.6").volatile_with(units=units)
    assert red.one("unattended-upgrades").remedy == "dnf versionlock add '*nvidia*'"
    off = (UnitNow("unattended-upgrades.service", "inactive", "disabled"),)
    assert box(L40S).volatile_with(units=off).told() == []


def test_a_desktop_on_a_gpu() -> None:
    held = (
        GpuProcess(uuid(0), 10, 300, "Xorg"),
        GpuProcess(uuid(0), 11, 150, "gnome-shell"),
    )
    finding = box(L40S).volatile_with(gpu_processes=held).one("gpu-held-by-desktop")
    assert finding.severity == "note"
    assert "450 MiB of GPU 0 (NVIDIA L40S, 0000:10:00.0) by Xorg, gnome-shell" in finding.evidence
    idle = (GpuProcess(uuid(0), 10, 9, "Xorg"),)
    assert box(L40S).volatile_with(gpu_processes=idle).told() == []


def test_strangers_on_planned_gpus() -> None:
    stranger = GpuProcess(uuid(0), 10, 5000, "python3", "session-1.scope")
    machine = box(L40S, L40S).volatile_with(gpu_processes=(stranger,), placed=(OURS,))
    assert machine.told() == [("note", "gpu-foreign-process")]
    assert "python3 (PID 10, 5000 MiB) of session-1.scope" in machine.findings()[0].evidence
    own = (replace(stranger, unit=OURS.unit),)
    assert machine.volatile_with(gpu_processes=own).told() == []
    elsewhere = (replace(stranger, gpu=uuid(1)),)
    assert machine.volatile_with(gpu_processes=elsewhere).told() == []


def test_memory_that_nobody_holds() -> None:
    machine = box(L40S).now_with(0, memory_used_mib=18000)
    assert machine.told() == [("note", "gpu-memory-orphaned")]
    held = (GpuProcess(uuid(0), 10, 17000, "vllm"),)
    assert machine.volatile_with(gpu_processes=held).told() == []
    assert machine.system_with(container="docker").told() == []
    assert box(L40S).now_with(0, memory_used_mib=900).told() == []


def test_our_own_record_is_passed_on() -> None:
    record = Finding("state-unreadable", "warning", "it is broken", "nothing is known")
    assert box().saw(record_problem=record).findings() == (record,)
    assert SYSTEM.hostname == "box"

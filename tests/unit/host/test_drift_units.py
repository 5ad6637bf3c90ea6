"""Drift of units: from what systemd says of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from provision.host.files import Files
from provision.host.proof.drift_report import Drifted
from provision.host.proof.drift_units import our_units, units_drift
from provision.host.proof.drop_ins import UnitFiles, parse_unit_files, settings_in
from provision.host.systemd import UnitStatus

from .drifting import CHECK, DROP_IN, TEMPLATE, UNIT, state


def units(seen: dict[str, UnitStatus], read: dict[str, UnitFiles] | None = None) -> list[Drifted]:
    fine = {
        name: UnitStatus(name, "loaded", "active", "running", enabled="enabled")
        for name in (*our_units(state()), "nginx.service")
    }
    fine["provision-drift.service"] = UnitStatus("provision-drift.service", "loaded")
    fine["ollama.service"] = UnitStatus("ollama.service", "loaded", enabled="disabled")
    made = {
        UNIT: UnitFiles(TEMPLATE, (DROP_IN,), "exec"),
        "provision-drift.service": UnitFiles(CHECK, (), "oneshot"),
    }
    return units_drift(Files(Path("/nonexistent")), state(), fine | seen, made | (read or {}))


def test_units_as_they_should_be() -> None:
    assert our_units(state()) == (UNIT, "provision-drift.service", "provision-drift.timer")
    assert units({}) == []


@pytest.mark.parametrize(
    ("unit", "changed", "kind", "actual"),
    [
        (UNIT, {"active": "inactive"}, "unit-down", "inactive"),
        (UNIT, {"active": "failed", "result": "oom-kill"}, "unit-down", "failed (oom-kill)"),
        (UNIT, {"active": "activating"}, "unit-down", "activating"),
        (UNIT, {"load": "masked", "active": "inactive"}, "unit-masked", "masked"),
        (UNIT, {"need_reload": True}, "unit-stale", "changed on disk since"),
        ("provision-drift.timer", {"active": "inactive"}, "unit-down", "inactive"),
        ("provision-drift.service", {"active": "failed"}, "unit-down", "failed"),
        ("nginx.service", {"active": "failed"}, "unit-down", "failed"),
        ("nginx.service", {"enabled": "disabled"}, "unit-disabled", "disabled"),
        ("ollama.service", {"active": "active"}, "takeover", "active"),
        ("ollama.service", {"enabled": "enabled"}, "takeover", "enabled"),
    ],
)
def test_what_units_may_be_instead(
    unit: str, changed: dict[str, object], kind: str, actual: str
) -> None:
    fine = UnitStatus(unit, "loaded", "active", "running", enabled="enabled")
    if unit in ("ollama.service", "provision-drift.service"):
        fine = UnitStatus(unit, "loaded", enabled="disabled")
    (item,) = units({unit: dataclasses.replace(fine, **changed)})  # type: ignore[arg-type]  # table-driven fields
    assert (item.kind, item.subject, item.actual) == (kind, unit, actual)


def test_nginx_may_be_stale_by_its_package() -> None:
    fresh = UnitStatus("nginx.service", "loaded", "active", need_reload=True, enabled="enabled")
    assert units({"nginx.service": fresh}) == []


def test_drop_ins_of_others_and_what_they_set(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(DROP_IN, b"[Service]\nCPUAffinity=0-3\n")
    mine = "/etc/systemd/system/ollama@.service.d/memory.conf"
    files.write(mine, b"[Service]\n# MemoryHigh=1\nMemoryMax=1G\nCPUAffinity=9\n")
    fedora = "/usr/lib/systemd/system/service.d/10-timeout-abort.conf"
    gone = "/run/systemd/system.control/ollama@chat.0.service.d/50-CPUQuota.conf"
    read = {UNIT: UnitFiles(TEMPLATE, (fedora, mine, DROP_IN, gone), "exec")}
    status_now = {one: UnitStatus(one, "loaded", "active") for one in our_units(state())}
    found = units_drift(files, state(), status_now, read)
    assert [(one.kind, one.subject, one.actual) for one in found if one.subject == UNIT] == [
        ("unit-overridden", UNIT, f"{mine} sets MemoryMax, CPUAffinity (which is ours)"),
        ("unit-overridden", UNIT, f"{gone} is read too"),
    ]


def test_a_unit_file_in_the_place_of_ours() -> None:
    full = f"/etc/systemd/system/{UNIT}"
    (item,) = units({}, {UNIT: UnitFiles(full, (DROP_IN,), "exec")})
    assert (item.kind, item.actual) == ("unit-overridden", f"{full} takes its place")


# systemctl show -p Id,FragmentPath,DropInPaths,Type,RemainAfterExit A B of systemd 252
SHOWN = f"""
Type=exec
RemainAfterExit=no
Id=ollama@chat.0.service
FragmentPath=/etc/systemd/system/ollama@.service
DropInPaths={DROP_IN} "{DROP_IN.rpartition("/")[0]}/20 mine.conf"

Id=provision.target
FragmentPath=/etc/systemd/system/provision.target
DropInPaths=

Type=oneshot
RemainAfterExit=yes
Id=provision-gpu-settings.service
FragmentPath=/etc/systemd/system/provision-gpu-settings.service
DropInPaths=
"""


def test_the_files_of_units_as_systemd_tells_them() -> None:
    found = parse_unit_files(SHOWN.lstrip(), (UNIT, "provision.target", "gpu"))
    assert found[UNIT].drop_ins == (DROP_IN, str(Path(DROP_IN).with_name("20 mine.conf")))
    assert found["provision.target"] == UnitFiles("/etc/systemd/system/provision.target")
    assert not found["gpu"].rests and UnitFiles(kind="oneshot").rests


def test_settings_in_a_unit_file() -> None:
    text = "[Service]\n;Nice=1\n# CPUQuota=3\nExecStart=\nExecStart=/bin/a -o k=v\nMemoryMax = 1G\n"
    assert settings_in(text) == ("ExecStart", "MemoryMax")


def test_the_look_for_drift_that_found_some_is_no_drift_itself() -> None:
    found = UnitStatus("provision-drift.service", "loaded", "failed", result="exit-code")
    assert units({"provision-drift.service": found}) == []
    broken = dataclasses.replace(found, result="timeout")
    (item,) = units({"provision-drift.service": broken})
    assert (item.kind, item.actual) == ("unit-down", "failed (timeout)")

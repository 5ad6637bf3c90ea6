"""The units of provision's own: watch, recover, drift."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from provision.host.bundle import WatchSettings
from provision.host.names import SERVICES
from provision.host.watch.health import FOLDER
from provision.plan.plan import Drift, Plan
from provision.render import paths
from provision.render.bundle import render
from provision.render.services import services, watch_unit

from . import plans
from .systemd_reader import read_command, read_paths
from .test_units import Unit, read_unit, values

AGENT = ["/usr/bin/python3", "-I", paths.AGENT]


def of(plan: Plan, name: str) -> Unit:
    (found,) = [one for one in services(plan) if one.path == f"{paths.UNITS}/{name}"]
    return read_unit(found.content)


def watched(**changes: object) -> Plan:
    return plans.plan(plans.vllm(), watch=WatchSettings(), **changes)


def test_which_units_there_are() -> None:
    def names(plan: Plan) -> list[str]:
        return [one.path.removeprefix(f"{paths.UNITS}/") for one in services(plan)]

    recover = [paths.RECOVER_UNIT, f"multi-user.target.wants/{paths.RECOVER_UNIT}"]
    watch = [paths.WATCH_UNIT, f"provision.target.wants/{paths.WATCH_UNIT}"]
    drift = [
        paths.DRIFT_UNIT,
        paths.DRIFT_TIMER,
        f"provision.target.wants/{paths.DRIFT_TIMER}",
    ]
    assert names(plans.plan(plans.vllm())) == recover
    assert names(watched()) == recover + watch
    assert names(watched(drift=Drift(5, None))) == recover + watch + drift
    assert {paths.WATCH_UNIT, paths.DRIFT_TIMER} == set(SERVICES)


def test_the_links_lead_to_the_units() -> None:
    made = services(watched(drift=Drift(5, None)))
    units = {one.path for one in made if one.kind == "file"}
    links = {one.path: one.content for one in made if one.kind == "link"}
    assert set(links.values()) == units - {f"{paths.UNITS}/{paths.DRIFT_UNIT}"}
    assert all(path.endswith(target.rpartition("/")[2]) for path, target in links.items())


def test_watch_tells_what_it_was_started_from() -> None:
    """The digest changes with the file, and with nothing else."""
    (text,) = values(of(watched(), paths.WATCH_UNIT), "Service", "Environment")
    assert re.fullmatch(r"PROVISION_DIGEST=[0-9a-f]{64}", text)
    slower = watched(drift=Drift(5, None))
    slower = dataclasses.replace(slower, watch=WatchSettings(interval_seconds=60))
    assert watch_unit(slower) == watch_unit(watched())
    other = watched(python="/opt/python/bin/python3")
    (changed,) = values(of(other, paths.WATCH_UNIT), "Service", "Environment")
    assert changed != text


def test_watch_comes_back_whatever_happens() -> None:
    unit = of(watched(), paths.WATCH_UNIT)
    assert values(unit, "Service", "Type") == ["notify"]
    assert values(unit, "Service", "Restart") == ["always"]
    assert values(unit, "Unit", "StartLimitIntervalSec") == ["0"]
    assert int(values(unit, "Service", "WatchdogSec")[0]) >= 200  # a switch may take so long
    assert values(unit, "Unit", "PartOf") == ["provision.target"]
    assert {"nginx.service", paths.RECOVER_UNIT} <= set(values(unit, "Unit", "After")[0].split())
    assert read_command(values(unit, "Service", "ExecStart")[0], {}) == [[*AGENT, "watch"]]


def test_watch_may_write_where_it_has_to() -> None:
    (line,) = values(of(watched(), paths.WATCH_UNIT), "Service", "ReadWritePaths")
    assert read_paths(line) == ["/run", "-/etc/nginx/provision"]
    assert FOLDER.startswith("/run/")


@pytest.mark.parametrize(
    ("code", "status", "left"),
    [
        ("exited", "0", True),  # another version was installed: the next one goes on
        ("exited", "1", False),
        ("killed", "9", False),
        ("dumped", "ABRT", False),  # systemd's watchdog
        ("", "", False),  # it could not be started
    ],
)
def test_health_files_do_not_outlive_a_watch_that_died(
    tmp_path: Path, code: str, status: str, left: bool
) -> None:
    """The command itself, for a folder of this test."""
    (line,) = values(of(watched(), paths.WATCH_UNIT), "Service", "ExecStopPost")
    (words,) = read_command(line, {})
    assert words[-1].endswith(f"rm -rf {FOLDER}")
    health = tmp_path / "health"
    (health / "chat").mkdir(parents=True)
    (health / "chat" / "ok.json").write_text("{}")
    command = [*words[:-1], words[-1].replace(FOLDER, str(health))]
    env = {"PATH": "/usr/bin:/bin", "EXIT_CODE": code, "EXIT_STATUS": status}
    subprocess.run(command, env=env, check=True)
    assert health.exists() is left


def test_recover_comes_before_all_that_it_may_put_back() -> None:
    bundle = render(dataclasses.replace(plans.two_sockets(), watch=WatchSettings()))
    unit = of(plans.two_sockets(), paths.RECOVER_UNIT)
    before = set(values(unit, "Unit", "Before")[0].split())
    assert {"nginx.service", paths.TARGET, paths.SETTINGS_UNIT, paths.WATCH_UNIT} <= before
    for one in bundle.instances:
        text = next(a for a in bundle.artifacts if a.path == paths.template_unit(one.engine))
        after = values(read_unit(text.content), "Unit", "After")[0].split()
        assert paths.RECOVER_UNIT in after
    assert values(unit, "Service", "Type") == ["oneshot"]
    (command,) = read_command(values(unit, "Service", "ExecStart")[0], {})
    assert command == [*AGENT, "recover", "--boot"]


def test_recover_is_skipped_where_nothing_was_left() -> None:
    """`|`: one of them suffices."""
    unit = of(watched(), paths.RECOVER_UNIT)
    assert values(unit, "Unit", "ConditionPathExists") == [
        "|/var/lib/provision/journal.json",
        "|/var/lib/provision/confirm.json",
    ]


@pytest.mark.parametrize("path", ["/var/lib/node/p.prom", "/srv/a b/$x%h;.prom", None])
def test_drift_writes_its_metrics_where_it_is_told(path: str | None) -> None:
    unit = of(watched(drift=Drift(7, path)), paths.DRIFT_UNIT)
    (command,) = read_command(values(unit, "Service", "ExecStart")[0], {"x": "evil"})
    assert command == [*AGENT, "drift", *(["--textfile", path] if path else [])]
    writable = [read_paths(one) for one in values(unit, "Service", "ReadWritePaths")]
    assert writable == ([[f"-{path.rpartition('/')[0]}"]] if path else [])
    timer = of(watched(drift=Drift(7, path)), paths.DRIFT_TIMER)
    assert values(timer, "Timer", "OnUnitActiveSec") == ["7min"]
    assert values(timer, "Unit", "PartOf") == ["provision.target"]

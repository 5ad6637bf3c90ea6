"""What is decided about services, from recorded output and small values."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from provision.host.balancer.nginx import Build, files_read, judge_test, parse_build
from provision.host.bundle import Artifact, GpuSetting, GpuSettings, Nginx
from provision.host.facts import Listener
from provision.host.quantity import PciAddress
from provision.host.report import ChangeSet, FileChange, UnitChange
from provision.host.run import Ran
from provision.host.sockets import clashes, split_listen
from provision.host.systemd import UnitStatus, parse_show
from provision.host.transaction.changes import View
from provision.host.transaction.instance_changes import instance_changes, parted
from provision.host.transaction.leftovers import folders_in
from provision.host.transaction.preflight import port_complaints
from provision.host.transaction.services import gpus_to_put_back
from provision.host.transaction.state import Before, GpuBefore, State
from provision.host.transaction.unit_changes import differing_settings, units_of
from provision.host.transaction.validate import complaints, validate
from provision.host.unit.nvml import GpuReading

from .bundles import DROP_IN, ENV, UNIT, WANTS, bundle, instance

# systemctl show -p ... of systemd 252, an active instance and a unit that is not there
SHOWN = """\
MainPID=4711
Result=success
NeedDaemonReload=no
UnitFileState=
EffectiveCPUs=2-3
ControlGroup=/system.slice/system-ollama.slice/ollama@chat.0.service
Id=ollama@chat.0.service
LoadState=loaded
ActiveState=active
SubState=running
InvocationID=8a4a9b8ba6ba4f0f8c2f6cf1e3c5c0ad
TimeoutStartUSec=30min

MainPID=0
Id=nope.service
LoadState=not-found
ActiveState=inactive
SubState=dead
"""


def test_show_is_read_in_the_order_asked_for() -> None:
    found = parse_show(SHOWN, ("ollama@chat.0.service", "nope.service"))
    one, other = found["ollama@chat.0.service"], found["nope.service"]
    assert (one.main_pid, one.running, one.effective_cpus) == (4711, True, "2-3")
    assert one.cgroup.endswith("/ollama@chat.0.service")
    assert (other.load, other.main_pid, other.stopped) == ("not-found", None, True)


def test_units_that_paths_stand_for() -> None:
    paths = [
        UNIT,
        DROP_IN,
        WANTS,
        ENV,
        "/etc/systemd/system/provision.target",
        "/etc/systemd/system/provision-gpu-settings.service",
        "/etc/systemd/system/multi-user.target.wants/provision.target",
    ]
    assert units_of(paths) == {
        "ollama@chat.0.service",
        "provision.target",
        "provision-gpu-settings.service",
    }


def test_instances_start_where_they_do_not_run() -> None:
    wanted = bundle()
    unit = "ollama@chat.0.service"
    (start,) = instance_changes(wanted, None, {unit: UnitStatus(unit, active="failed")})
    assert (start.action, start.why) == ("start", "is failed")
    (again,) = instance_changes(wanted, None, {unit: UnitStatus(unit, active="activating")})
    assert (again.action, again.why) == ("start", "is still starting")
    (other,) = instance_changes(wanted, None, {unit: UnitStatus(unit, active="active")})
    assert (other.action, other.why) == ("restart", "runs without our digest")


def test_instances_that_swap_ports_are_stopped_first() -> None:
    old = dataclasses.replace(bundle(), instances=(instance("a.0", 1111), instance("b.0", 2222)))
    new = dataclasses.replace(bundle(), instances=(instance("a.0", 2222), instance("b.0", 1111)))
    units = ("ollama@a.0.service", "ollama@b.0.service")
    running = {unit: UnitStatus(unit, active="active") for unit in units}
    found = instance_changes(new, State(1, 1, "t", bundle=old), running)
    assert [(one.unit, one.action) for one in found] == [
        (units[0], "stop"),
        (units[1], "stop"),
        (units[0], "restart"),
        (units[1], "restart"),
    ]
    kept = instance_changes(old, State(1, 1, "t", bundle=old), running)
    assert [one.action for one in kept] == ["restart", "restart"], "same ports: nothing in the way"


def test_who_holds_a_port_of_the_proxy_is_stopped_first() -> None:
    old = dataclasses.replace(bundle(), instances=(instance("a.0", 8081),))
    nginx = Nginx(listens=("127.0.0.1:8081",))
    new = dataclasses.replace(bundle(), instances=(instance("a.0", 8082),), nginx=nginx)
    unit = "ollama@a.0.service"
    found = instance_changes(
        new, State(1, 1, "t", bundle=old), {unit: UnitStatus(unit, active="active")}
    )
    assert [(one.action, one.why) for one in found] == [
        ("stop", "port 8081 goes to the proxy"),
        ("restart", "runs without our digest"),
    ]


def test_who_is_dropped_serves_until_others_have_started() -> None:
    """Unless it holds what they need, or its model would lie in RAM beside a further one."""
    one, two = instance("a.0", 1111), instance("b.0", 2222)
    state = State(1, 1, "t", bundle=dataclasses.replace(bundle(), instances=(one, two)))
    stops = [UnitChange(two.unit, "stop", "no longer wanted")]
    restart = [UnitChange(one.unit, "restart", "changed")]
    left = dataclasses.replace(bundle(), instances=(one,))
    assert parted(stops, restart, left, state) == ([], stops)
    moved = dataclasses.replace(bundle(), instances=(instance("a.0", 2222),))
    assert parted(stops, restart, moved, state) == (stops, [])
    start = [UnitChange(one.unit, "start", "is inactive")]
    assert parted(stops, start, left, state) == (stops, [])
    assert parted(stops, [], left, state) == (stops, [])
    taken = dataclasses.replace(left, nginx=Nginx(listens=("127.0.0.1:2222",)))
    assert parted(stops, restart, taken, state) == (stops, [])


def test_folders_of_a_tmpfiles_file() -> None:
    text = (
        "# folders\nd /run/provision 0755 root root -\n"
        'd "/srv/my \\"models\\" 5%%" :0755 :ollama :ollama -\nf /etc/x 0644\n'
    )
    assert folders_in(text) == ("/run/provision", '/srv/my "models" 5%')


def test_settings_that_read_back_otherwise() -> None:
    address = PciAddress.parse("0000:17:00.0")
    wanted = GpuSettings(1, (GpuSetting("GPU-a", address, True, 300.0),))
    now = GpuReading("GPU-a", address, True, 300.0)
    assert differing_settings(wanted, {"GPU-a": now}) is None
    hot = dataclasses.replace(now, power_limit_watts=350.0)
    assert "350 W, not 300 W" in (differing_settings(wanted, {"GPU-a": hot}) or "")
    off = dataclasses.replace(now, persistence=False)
    assert "persistence is off" in (differing_settings(wanted, {"GPU-a": off}) or "")
    unknown = dataclasses.replace(now, power_limit_watts=None)
    assert "unknown" in (differing_settings(wanted, {"GPU-a": unknown}) or "")
    assert "no driver" in (differing_settings(wanted, "no driver") or "")


def test_ports_of_others_and_the_way_out() -> None:
    one = instance(port=11434)
    vendor = Listener("127.0.0.1", 11434, 812, "ollama", "ollama.service")
    (said,) = port_complaints(one, [vendor], {one.unit})
    assert "port 11434 is held by ollama (pid 812, ollama.service)" in said.message
    assert "takeover: true" in (said.hint or "")
    assert port_complaints(one, [vendor], {one.unit, "ollama.service"}) == []
    stray = Listener("0.0.0.0", 11434, 9, "python3")
    assert "end it" in (port_complaints(one, [stray], {one.unit})[0].hint or "")
    ours = Listener("127.0.0.1", 11434, 9, "ollama", one.unit)
    elsewhere = Listener("10.0.0.1", 11434, 9, "x")
    assert port_complaints(one, [ours, elsewhere], {one.unit}) == []


def test_listens() -> None:
    assert split_listen("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert split_listen("[::]:443") == ("::", 443)
    assert split_listen("8080") == ("0.0.0.0", 8080)
    assert clashes("127.0.0.1", Listener("::", 1)) and clashes("0.0.0.0", Listener("10.0.0.1", 1))
    assert not clashes("127.0.0.1", Listener("10.0.0.1", 1))


def test_where_nginx_was_built_to_look() -> None:
    debian = (
        "nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g -O2'"
        " --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf"
        " --error-log-path=/var/log/nginx/error.log\n"
    )
    assert parse_build(debian) == Build("/etc/nginx/nginx.conf", "/var/log/nginx/error.log")
    own = "configure arguments: --prefix=/opt/nginx\n"
    assert parse_build(own).folder == "/opt/nginx/conf"
    assert parse_build("") == Build()


def nginx_said(err: str = "", out: str = "", code: int = 0) -> Ran:
    return Ran(("nginx", "-T"), code, out, err)


def test_what_nginx_says_of_a_configuration() -> None:
    entry = "/etc/nginx/conf.d/provision.conf"
    dump = (
        f"# configuration file /etc/nginx/nginx.conf:\nhttp {{}}\n# configuration file {entry}:\n"
    )
    assert files_read(dump) == {"/etc/nginx/nginx.conf", entry}
    assert judge_test(nginx_said(out=dump), entry, Build()) == []
    bad = nginx_said('2026/11/21 04:59:14 [emerg] 7#7: unknown directive "x" in /etc/y:6\n', code=1)
    assert judge_test(bad, entry, Build())[0].message == '[emerg] unknown directive "x" in /etc/y:6'
    (missed,) = judge_test(nginx_said(), entry, Build())
    assert missed.rule == "nginx-does-not-include" and "conf.d/*.conf" in (missed.hint or "")
    warned = nginx_said(
        'nginx: [warn] conflicting server name "provision" on 0.0.0.0:80, ignored\n'
    )
    assert judge_test(warned, None, Build())[0].rule == "nginx-refuses"
    foreign = nginx_said(
        "nginx: [warn] the listen http2 directive is deprecated in /etc/nginx/a:1\n"
    )
    assert judge_test(foreign, None, Build()) == []


def test_complaints_about_units_of_others_are_not_ours() -> None:
    said = (
        "/run/stage/units/ollama@.service:7: Unknown key 'Typ' in section [Service], ignoring.\n"
        "ollama@chat.0.service: Command /nope is not executable: No such file or directory\n"
        "/lib/systemd/system/foreign.service:3: Unknown key\n"
    )
    assert complaints(said, "/run/stage/units", ["ollama@chat.0.service"]) == [
        "/etc/systemd/system/ollama@.service:7: Unknown key 'Typ' in section [Service], ignoring.",
        "ollama@chat.0.service: Command /nope is not executable: No such file or directory",
    ]


_tools = pytest.mark.skipif(
    not (shutil.which("systemd-analyze") and Path("/run").is_dir() and shutil.which("unshare")),
    reason="needs systemd-analyze",
)


def view(unit: str) -> View:
    wanted = bundle({UNIT: unit, DROP_IN: "[Service]\nExecStart=\nExecStart=/bin/sleep 9\n"})
    artifacts: dict[str, Artifact] = {one.path: one for one in wanted.artifacts}
    created = tuple(FileChange(path, "create") for path in artifacts)
    return View(wanted, artifacts, None, None, ChangeSet(1, created))


@_tools
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stage files in /run")
def test_systemd_looks_at_template_and_drop_in_together() -> None:
    assert validate(view("[Service]\nType=exec\n")) == []
    (refused,) = validate(view("[Service]\nType=exec\nTyp=exec\n"))
    assert f"{UNIT}:3: Unknown key 'Typ'" in refused.message


def test_a_setting_that_is_no_longer_wanted_goes_back_alone() -> None:
    address = PciAddress.parse("0000:17:00.0")
    was = GpuBefore("GPU-a", address, persistence=False, power_limit_watts=350.0)

    def settings(persistence: bool | None, limit: float | None) -> GpuSettings:
        return GpuSettings(1, (GpuSetting("GPU-a", address, persistence, limit),))

    def back(now: GpuSettings | None) -> tuple[GpuBefore, ...]:
        return gpus_to_put_back((was,), settings(True, 300.0), now)

    assert back(settings(True, 250.0)) == ()
    assert back(settings(True, None)) == (GpuBefore("GPU-a", address, None, 350.0),)
    assert back(settings(None, 300.0)) == (GpuBefore("GPU-a", address, False, None),)
    assert back(None) == (was,)
    assert gpus_to_put_back((was,), None, settings(True, None)) == ()


def test_what_was_seen_first_of_each_setting_is_kept() -> None:
    address = PciAddress.parse("0000:17:00.0")
    first = Before(gpus=(GpuBefore("GPU-a", address, persistence=False),))
    later = Before(gpus=(GpuBefore("GPU-a", address, persistence=True, power_limit_watts=350.0),))
    assert first.joined(later).gpus == (GpuBefore("GPU-a", address, False, 350.0),)

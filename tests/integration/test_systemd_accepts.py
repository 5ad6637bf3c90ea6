"""systemd itself reads what is rendered, and has nothing to say about it."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from provision.host.bundle import Bundle, WatchSettings
from provision.plan.plan import Drift, Plan
from provision.render.bundle import render
from tests.unit.render import plans

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders to users")
SERVICES = {
    "services": dataclasses.replace(
        plans.two_sockets(), watch=WatchSettings(), drift=Drift(15, "/var/lib/a b%h/p.prom")
    ),
    "services_bare": dataclasses.replace(
        plans.two_sockets(), watch=WatchSettings(), drift=Drift(15, None)
    ),
}
HOSTILE = "a \"b\" 'c' %h $HOME ${HOME} ;x {y} \\n \\ ; # é 漢"


def put(bundle: Bundle, root: Path, python: str = "/usr/bin/python3") -> None:
    """Lay out the bundle below a root, with a program at every path that a unit starts."""
    for artifact in bundle.artifacts:
        path = root / artifact.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if artifact.kind == "link":
            path.symlink_to(artifact.content)
        else:
            path.write_text(artifact.content)
    for target in ("sysinit", "basic", "shutdown", "network-online", "multi-user"):
        path = root / f"usr/lib/systemd/system/{target}.target"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[Unit]\nDefaultDependencies=no\n")
    programs = {instance.program for instance in bundle.instances}
    for name in programs | {python, "/usr/bin/numactl", "/bin/sh"}:
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)


def verify(bundle: Bundle, root: Path) -> str:
    """All that systemd-analyze says about the units of a bundle."""
    names = [instance.unit for instance in bundle.instances] + ["provision.target"]
    ours = re.compile(r"/etc/systemd/system/(provision-[a-z-]+\.(?:service|timer))")
    found = (ours.fullmatch(artifact.path) for artifact in bundle.artifacts)
    names += [match[1] for match in found if match]
    done = subprocess.run(
        [
            *("systemd-analyze", "verify", "--man=no", "--recursive-errors=yes"),
            *(f"--root={root}", *names),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"exit {done.returncode}\n{done.stdout}{done.stderr}".strip()


@pytest.mark.parametrize("name", sorted(plans.ALL))
def test_verify_says_nothing(name: str, tmp_path: Path) -> None:
    plan = dataclasses.replace(plans.ALL[name](), systemd=systemd_version())
    bundle = render(plan)
    put(bundle, tmp_path)
    assert verify(bundle, tmp_path) == "exit 0"


def test_verify_would_say_something(tmp_path: Path) -> None:
    """The proof that silence above means something."""
    bundle = render(plans.small_host())
    put(bundle, tmp_path)
    unit = tmp_path / "etc/systemd/system/llama-server@.service"
    unit.write_text(unit.read_text() + "\n[Service]\nNoSuchThing=1\n")
    (tmp_path / "usr/local/bin/llama-server").unlink()
    said = verify(bundle, tmp_path)
    assert "NoSuchThing" in said
    assert "llama-server" in said and said.startswith("exit 1")


def test_hostile_values_stay_inside_their_directive(tmp_path: Path) -> None:
    bundle = render(_hostile_plan())
    put(bundle, tmp_path)
    assert verify(bundle, tmp_path) == "exit 0"


@pytest.mark.parametrize("line", ["; ExecStart=/bin/evil", "\nExecStartPre=/bin/evil", "x\\"])
def test_arguments_cannot_start_a_directive(line: str, tmp_path: Path) -> None:
    """Were the newline let through, the missing /bin/evil would be complained about."""
    bundle = render(plans.plan(plans.llama(args=(line, "--end")), systemd=systemd_version()))
    put(bundle, tmp_path)
    assert verify(bundle, tmp_path) == "exit 0"


@pytest.mark.parametrize("name", ["services", "services_bare"])
def test_the_services_of_our_own_are_read(name: str, tmp_path: Path) -> None:
    """The verify above takes all units of a bundle; here all of them are there."""
    bundle = render(dataclasses.replace(SERVICES[name], systemd=systemd_version()))
    put(bundle, tmp_path)
    assert verify(bundle, tmp_path) == "exit 0"
    unit = tmp_path / "etc/systemd/system/provision-watch.service"
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=strikt"))
    assert "strikt" in verify(bundle, tmp_path)


@pytest.mark.parametrize(
    ("unit", "most"), [("vllm@chat.0.service", 35), ("provision-watch.service", 35)]
)
def test_exposure_is_low(unit: str, most: int, tmp_path: Path) -> None:
    """`systemd-analyze security`: 0 is closed, 10 open; an unhardened service has 9.6."""
    bundle = render(dataclasses.replace(SERVICES["services"], systemd=systemd_version()))
    put(bundle, tmp_path)
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=yes", "--no-pager"),
            *(f"--root={tmp_path}", f"--threshold={most}", unit),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    match = re.search(r"Overall exposure level.*?: ([0-9.]+)", done.stdout)
    assert match and float(match[1]) > 0, done.stdout


@ROOT
def test_accounts_and_folders_are_read(tmp_path: Path) -> None:
    """sysusers and tmpfiles below a root of their own: users, groups, folders with their modes."""
    (tmp_path / "etc").mkdir()
    bundle = render(dataclasses.replace(plans.two_sockets(), systemd=systemd_version()))
    put(bundle, tmp_path)
    for program in (
        ["systemd-sysusers", f"--root={tmp_path}", f"{tmp_path}/etc/sysusers.d/provision.conf"],
        [
            "systemd-tmpfiles",
            "--create",
            f"--root={tmp_path}",
            f"{tmp_path}/etc/tmpfiles.d/provision.conf",
        ],
    ):
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        noise = [one for one in done.stderr.splitlines() if not one.startswith("Creating ")]
        assert (done.returncode, noise) == (0, []), done.stderr
    users = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"^ollama:x:\d+:\d+:[^:]*:/var/lib/ollama:/usr/sbin/nologin$", users, re.M)
    assert re.search(r"^render:x:\d+:llama-server,ollama,vllm$", _groups(tmp_path), re.M)
    assert (tmp_path / "var/lib/vllm").stat().st_mode & 0o7777 == 0o750
    assert (tmp_path / "var/cache/vllm/chat.0").stat().st_mode & 0o7777 == 0o750
    assert (tmp_path / "srv/ollama").stat().st_mode & 0o7777 == 0o755


@ROOT
def test_a_models_folder_of_the_owner_is_left_alone(tmp_path: Path) -> None:
    """Only made when missing: mode and owner of one that is there stay."""
    if systemd_version() < 252:
        pytest.skip("systemd before 252 has no `:` in tmpfiles.d")
    (tmp_path / "etc").mkdir()
    folder = tmp_path / "srv/ollama"
    folder.mkdir(parents=True, mode=0o700)
    folder.chmod(0o2775)
    bundle = render(dataclasses.replace(plans.two_sockets(), systemd=systemd_version()))
    put(bundle, tmp_path)
    for program in (
        ["systemd-sysusers", f"--root={tmp_path}", f"{tmp_path}/etc/sysusers.d/provision.conf"],
        [
            "systemd-tmpfiles",
            "--create",
            f"--root={tmp_path}",
            f"{tmp_path}/etc/tmpfiles.d/provision.conf",
        ],
    ):
        subprocess.run(program, capture_output=True, check=True)
    assert folder.stat().st_mode & 0o7777 == 0o2775


def _groups(root: Path) -> str:
    """/etc/group with members in order: their order in the file means nothing."""
    lines = []
    for line in (root / "etc/group").read_text().splitlines():
        *first, members = line.split(":")
        lines.append(":".join([*first, ",".join(sorted(members.split(",")))]))
    return "\n".join(lines)


def systemd_version() -> int:
    """The version of systemd on this machine."""
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True)
    match = re.search(r"systemd (\d+)", said.stdout)
    assert match
    return int(match[1])


def _hostile_plan() -> Plan:
    return plans.plan(
        plans.llama(
            args=(HOSTILE, "", ";", "line\nbreak", "tab\tand\rreturn", "$$", "%%"),
            models=(f"/srv/models/{HOSTILE}.gguf",),
            program="/opt/a %h $HOME ${HOME} ;x {y} é 漢/llama-server",
        ),
        plans.ollama(models_dir=f"/srv/{HOSTILE}", env={"MARK": HOSTILE}),
        plans.vllm(models=(HOSTILE,), port=8001),
        systemd=systemd_version(),
    )

from __future__ import annotations

from pathlib import Path

from provision.host.facts import UnitNow
from provision.host.inspect.software.units import parse_show, read_units
from provision.host.inspect.source import Source

from .answers import Answers
from .tree import Machine

SHOW = """\
MainPID=812
Id=ollama@chat.0.service
LoadState=loaded
ActiveState=active
FragmentPath=/etc/systemd/system/ollama@.service
UnitFileState=enabled

MainPID=0
Id=vllm.service
LoadState=not-found
ActiveState=inactive
FragmentPath=
UnitFileState=

Id=provision.target
LoadState=loaded
ActiveState=inactive
FragmentPath=/etc/systemd/system/provision.target
UnitFileState=disabled

MainPID=0
Id=ollama.service
LoadState=not-found
ActiveState=failed
FragmentPath=
UnitFileState=

MainPID=812
Id=ollama@chat.0.service
LoadState=loaded
ActiveState=active
FragmentPath=/etc/systemd/system/ollama@.service
UnitFileState=enabled
"""


def test_units_by_name_without_those_that_are_not_there() -> None:
    assert parse_show(SHOW) == (
        UnitNow("ollama.service", "failed"),
        UnitNow(
            "ollama@chat.0.service",
            "active",
            "enabled",
            812,
            "/etc/systemd/system/ollama@.service",
        ),
        UnitNow(
            "provision.target",
            "inactive",
            "disabled",
            None,
            "/etc/systemd/system/provision.target",
        ),
    )


def test_no_output_is_no_unit() -> None:
    assert parse_show("") == ()
    assert parse_show("System has not been booted with systemd as init system\n") == ()
    rubbish = "Id=a.service\nActiveState=active\nLoadState=loaded\nMainPID=" + "9" * 6000
    assert parse_show(rubbish) == (UnitNow("a.service", "active"),)


def test_all_units_are_asked_for_at_once(tmp_path: Path) -> None:
    Machine(tmp_path).file("/usr/bin/systemctl", "")
    host = Answers(tmp_path)
    assert read_units(host, ("vllm@chat.0.service", "nginx.service")) == ()
    (line,) = host.asked
    words = line.split(" -- ")[1].split()
    assert len(words) == len(set(words))
    assert {"nginx.service", "vllm@chat.0.service", "nvidia-fabricmanager.service"} <= set(words)
    # Patterns match loaded units alone, so machines without them are not told of them.
    assert {"gdm*.service", "firewalld*.service", "apt-daily-upgrade.*"} <= set(words)
    found = read_units(Answers(tmp_path, said={line: SHOW}), ("vllm@chat.0.service",))
    assert [one.name for one in found] == [
        "ollama.service",
        "ollama@chat.0.service",
        "provision.target",
    ]
    assert read_units(Answers(tmp_path, said={line: SHOW}, codes={line: 1}), ()) == ()


def test_no_systemd_is_no_unit(tmp_path: Path) -> None:
    assert read_units(Source(tmp_path), ("a.service",)) == ()

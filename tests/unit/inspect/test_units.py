from __future__ import annotations

from provision.host.facts import UnitNow
from provision.host.inspect.units import parse_show

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

"""Ansible's events become one result a host. The events' shape is that of ansible-runner 2.4.3."""

from __future__ import annotations

from typing import Any

import pytest

from provision.fleet.events import Fold
from provision.fleet.playbooks import Verb
from provision.host.errors import Exit

PLAN = {"version": 1, "machine": "1 socket, no GPU", "instances": [], "routes": [], "warnings": []}
CHANGES = {
    "files": [{"path": "/etc/a", "action": "create"}, {"path": "/etc/b", "action": "update"}],
    "units": [{"unit": "llama-server@chat.0.service", "action": "restart", "why": "x"}],
}


def event(kind: str, host: str, action: str, **res: Any) -> dict[str, Any]:
    data = {"host": host, "task_action": action, "res": res, "duration": 1.5}
    return {"event": f"runner_on_{kind}", "event_data": data}


def rendered(**hosts: dict[str, Any]) -> dict[str, Any]:
    return event("ok", "a", "provision_render", hosts=hosts)


def fold(verb: Verb, *events: dict[str, Any], check: bool = False, verify: bool = True) -> Fold:
    one = Fold(verb, check, verify)
    for item in events:
        one.take(item)
    return one


def test_applied_and_verified() -> None:
    one = Fold("apply")
    assert one.take(event("start", "a", "provision_inspect")) == ()
    assert one.take(event("ok", "a", "provision_inspect", ansible_facts={})) == ()
    assert one.take(rendered(a={"bundle": "/tmp/a", "plan": PLAN})) == ()
    applied = event(
        "ok", "a", "provision_apply", changed=True, changes=CHANGES, msg="2 files created"
    )
    assert one.take(applied) == ()
    (ended,) = one.take(event("ok", "a", "provision_verify", report={"checks": []}, msg="3 of 3"))
    assert ended.state == "ok" and ended.changed and ended.verified
    assert ended.message == "2 files created"
    assert ended.count.files == 2 and ended.count.units == {"restart": 1}
    assert ended.seconds == pytest.approx(4.5)
    assert one.result().exit_code is Exit.OK


def test_check_mode_ends_with_the_prediction() -> None:
    applied = event("ok", "a", "provision_apply", changed=True, changes=CHANGES, msg="m")
    result = fold("apply", applied, check=True).result()
    assert [one.state for one in result.hosts] == ["ok"]
    assert result.exit_code is Exit.DIFFERS


def test_without_the_proof_the_apply_is_the_end() -> None:
    applied = event("ok", "a", "provision_apply", changed=False, changes={}, msg="nothing")
    result = fold("apply", applied, verify=False).result()
    assert result.hosts[0].state == "ok" and result.hosts[0].verified is None


def test_one_host_fails_alone_and_the_worst_exit_code_counts() -> None:
    result = fold(
        "apply",
        event("unreachable", "c", "provision_inspect", msg="No route to host", unreachable=True),
        rendered(
            a={"bundle": "/tmp/a", "plan": PLAN},
            b={"bundle": "/tmp/b", "plan": PLAN},
            d={"msg": "error: gpus is 3", "problems": [], "exit_code": 1},
        ),
        event("failed", "d", "ansible.builtin.fail", msg="error: gpus is 3"),
        event(
            "failed", "b", "provision_apply", msg="port held", exit_code=5, outcome="rolled_back"
        ),
        event("ok", "a", "provision_apply", changed=False, changes={}, msg="nothing to change"),
        event("ok", "a", "provision_verify", report={}, msg="3 of 3 claims hold"),
    ).result()
    states = {one.host: (one.state, one.message) for one in result.hosts}
    assert states == {
        "a": ("ok", "nothing to change"),
        "b": ("failed", "port held"),
        "c": ("unreachable", "No route to host"),
        "d": ("failed", "error: gpus is 3"),
    }
    assert result.exit_code is Exit.ROLLED_BACK
    assert [one.host for one in result.failed] == ["b", "c", "d"]


def test_a_host_whose_turn_never_came_is_not_a_success() -> None:
    result = fold(
        "apply",
        rendered(a={"bundle": "x", "plan": PLAN}, b={"bundle": "x", "plan": PLAN}),
        event("ok", "a", "provision_apply", changed=True, changes=CHANGES, msg="m"),
        event("ok", "a", "provision_verify", report={}, msg="m"),
    ).result()
    assert [(one.host, one.state) for one in result.hosts] == [("a", "ok"), ("b", "untouched")]
    assert result.exit_code is Exit.ERROR


def test_a_refuted_proof_after_a_change_keeps_both() -> None:
    result = fold(
        "apply",
        event("ok", "a", "provision_apply", changed=True, changes=CHANGES, msg="m"),
        event("failed", "a", "provision_verify", msg="chat.0: cpus", exit_code=7, report={"n": 1}),
    ).result()
    (one,) = result.hosts
    assert one.changed and one.verified is False and one.report == {"n": 1}
    assert result.exit_code is Exit.NOT_AS_PLANNED


def test_a_module_that_died_shows_its_last_line() -> None:
    died = event(
        "failed", "a", "provision_apply", msg="MODULE FAILURE", module_stderr="trace\nMemoryError\n"
    )
    (one,) = fold("apply", died).result().hosts
    assert one.message == "MODULE FAILURE\nMemoryError"


def test_what_ansible_says_without_a_host() -> None:
    one = fold(
        "inspect",
        {"event": "error", "stdout": "[ERROR]: Unable to parse hosts.yaml"},
        {"event": "verbose", "stdout": "Using ansible.cfg"},
        {"event": "playbook_on_no_hosts_matched", "event_data": {}},
    )
    assert one.complaints == [
        "[ERROR]: Unable to parse hosts.yaml",
        "no host of the inventory matches",
    ]

"""Hostile arguments and variables arrive in a live process byte for byte, started by systemd.

The proof of tests/unit/render/systemd_reader.py, which says how systemd reads.
"""

from __future__ import annotations

import base64
import json

import pytest

from provision.host.bundle import Artifact
from provision.render import paths
from provision.render.bundle import render
from tests.unit.render import plans
from tests.unit.render.test_quoting import NASTY

from .testbed.vm import Vm

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
PROGRAM = "/opt/pro %h $HOME ${HOME};é/show"
SHOW = """#!/usr/bin/python3
import json, os, sys
print(json.dumps([[os.fsencode(one).hex() for one in sys.argv[1:]],
    {os.fsencode(key).hex(): os.fsencode(value).hex() for key, value in os.environ.items()}]),
    file=open("/var/lib/llama-server/seen.json", "w"))
"""
# The agent is not what is tried here: guard and ready only succeed.
NO_AGENT = "[Service]\nExecStartPre=\nExecStartPost=\nType=oneshot\nRestart=no\n"


def put(vm: Vm, path: str, content: str, mode: str = "644") -> None:
    data = base64.b64encode(content.encode()).decode()
    quoted = "'" + path.replace("'", "'\\''") + "'"
    vm.ssh(
        f'mkdir -p "$(dirname {quoted})" && base64 -d > {quoted} && chmod {mode} {quoted}',
        input=data,
    )


def wanted(artifact: Artifact) -> bool:
    return artifact.kind == "file" and artifact.path.startswith(
        (paths.UNITS, paths.INSTANCES, "/etc/sysusers.d")
    )


def test_arguments_and_variables_arrive_unchanged(vm: Vm) -> None:
    variables = {f"V{at}": value for at, value in enumerate(NASTY)}
    launch = plans.llama("proof.0", program=PROGRAM, args=NASTY, env=variables)
    bundle = render(plans.plan(launch))
    for artifact in bundle.artifacts:
        if wanted(artifact):
            put(vm, artifact.path, artifact.content, f"{artifact.mode:o}")
    unit = bundle.instances[0].unit
    put(vm, f"{paths.UNITS}/{unit}.d/99-no-agent.conf", NO_AGENT)
    put(vm, PROGRAM, SHOW, "755")
    vm.ssh(f"systemd-sysusers {paths.SYSUSERS}; systemctl daemon-reload; systemctl start {unit}")
    arguments, environment = json.loads(vm.ssh("cat /var/lib/llama-server/seen.json").stdout)
    assert [bytes.fromhex(one).decode() for one in arguments[-len(NASTY) :]] == list(NASTY)
    seen = {bytes.fromhex(key).decode(): bytes.fromhex(one) for key, one in environment.items()}
    assert {name: seen[name].decode() for name in variables} == variables
    assert seen["PROVISION_DIGEST"].decode() == bundle.instances[0].digest

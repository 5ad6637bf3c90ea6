"""A plan that was saved: carried out exactly as it is, or refused.

On a container, which is many times faster than the virtual machine; what is pinned where plays no
part here. Its GPUs are known to NVML alone. The tests build on one another and run in the order of
this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .machine import Host, install_nvml
from .testbed.fleet import Fleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
SPEC = """\
version: 1
instances:
  chat:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: 1
    context: 256
  deep:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: 1
    context: 512
proxy:
  listen: 8080
"""
UNITS = ("llama-server@chat.0", "llama-server@deep.0")
PLAN = "/root/plan.json"
# Path, kind, mode, link target and digest of all that is listed on standard input.
FINGERPRINTS = (
    "while read -r path; do"
    ' echo "$path $(stat -c \'%F %a\' "$path") $(readlink "$path")'
    ' $(test -h "$path" || sha256sum < "$path")"; done'
)


@pytest.fixture(scope="module")
def host(container: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    shell = container.hosts[0].shell
    install_nvml(shell, tmp_path_factory.mktemp("nvml"), ("0000:01:00.0", "0000:41:00.0"))
    one = Host(shell)
    one.spec(SPEC)
    one.run(f"provision plan /root/host.yaml -o {PLAN}")
    yield one


def test_apply_carries_out_exactly_what_render_says(host: Host) -> None:
    rendered = _rendered(host)
    assert host.apply(PLAN)["changed"] is True
    paths = "".join(f"{path}\n" for path in sorted(rendered))
    there = host.run(f"cd / && {FINGERPRINTS}", input=paths).splitlines()
    made_there = "etc/nginx/provision/answer.conf "  # holds the mark of all the others
    told = [one for one in there if not one.startswith(made_there)]
    assert sorted(told) == sorted(
        one for one in rendered.values() if not one.startswith(made_there)
    )
    owned = json.loads(host.run("cat /var/lib/provision/state.json"))["owned"]
    own_program = {path for path in _paths(owned) if path.startswith("/usr/local/lib/provision/")}
    assert own_program
    assert _paths(owned) - own_program == {f"/{path}" for path in rendered}
    host.verify()


def test_what_runs_is_what_the_plan_says(host: Host) -> None:
    plan = json.loads(host.run(f"cat {PLAN}"))
    for planned, unit in zip(plan["instances"], UNITS, strict=True):
        words = host.run(f"tr '\\0' ' ' < /proc/{host.pid(unit)}/cmdline")
        assert f"--port {planned['port']} " in words
        values = host.environment(unit)
        assert values["CUDA_VISIBLE_DEVICES"] == planned["gpus"][0]["uuid"]
        digest = host.run(f"cat /etc/provision/instances/{planned['name']}.digest")
        assert values["PROVISION_DIGEST"] in digest


def test_a_second_apply_of_it_changes_nothing(host: Host) -> None:
    files, units = host.files(), host.invocations(UNITS)
    result = host.apply(PLAN)
    assert result["changed"] is False
    parts = ("files", "units", "conflicts", "gaps")
    assert result["changes"] == {"version": 1, **{part: [] for part in parts}}
    assert host.files() == files
    assert host.invocations(UNITS) == units


def test_it_is_refused_once_host_yaml_has_changed(host: Host) -> None:
    host.spec(SPEC.replace("context: 512", "context: 1024"))
    said = _refused(host)
    assert f"/root/host.yaml has changed since {PLAN} was made" in said
    code, shown = host.code(f"provision plan {PLAN}")
    assert code == 0 and "has changed since" in shown, "it may still be looked at"


def test_it_is_refused_where_a_planned_gpu_is_gone(host: Host) -> None:
    host.spec(SPEC)
    table = "/etc/nvml-standin.tsv"
    uuid = host.environment(UNITS[1])["CUDA_VISIBLE_DEVICES"]
    host.run(f"cp {table} /root/table; grep -v {uuid} /root/table > {table}")
    said = _refused(host)
    assert f"{uuid} of deep.0 is gone" in said
    host.run(f"cp /root/table {table}")
    assert host.apply(PLAN)["changed"] is False, "as before, and the plan holds again"


def test_a_new_plan_changes_what_is_new_in_it(host: Host) -> None:
    units = host.invocations(UNITS)
    host.spec(SPEC.replace("context: 512", "context: 1024"))
    host.run(f"provision plan /root/host.yaml -o {PLAN}")
    assert host.apply(PLAN)["changed"] is True
    after = host.invocations(UNITS)
    assert {unit for unit in units if units[unit] != after[unit]} == {"llama-server@deep.0"}
    host.verify()


def test_an_instance_waits_for_its_gpu_and_never_starts_without_it(host: Host) -> None:
    """A card that fell off the bus: no start on the CPU in silence. It may only be late, too."""
    table, unit = "/etc/nvml-standin.tsv", UNITS[0]
    uuid = host.environment(unit)["CUDA_VISIBLE_DEVICES"]
    host.run(f"cp {table} /root/table; grep -v {uuid} /root/table > {table}")
    host.run(f"systemctl restart --no-block {unit}; sleep 8")
    assert host.run(f"systemctl show -p SubState --value {unit}").strip() == "start-pre"
    assert host.pid(unit) == 0
    host.run(f"cp /root/table {table}; systemctl start {unit}")
    assert host.environment(unit)["CUDA_VISIBLE_DEVICES"] == uuid
    host.verify()


def _rendered(host: Host) -> dict[str, str]:
    """Path -> fingerprint of each file and link that `render` makes of the saved plan."""
    host.run(f"provision render {PLAN} -o /root/rendered")
    listed = host.run(
        "cd /root/rendered && find . \\( -type f -o -type l \\) ! -name .provision-render"
        f" -printf '%P\\n' | sort | {FINGERPRINTS}"
    )
    found = {line.split(" ", 1)[0]: line for line in listed.splitlines()}
    units = {path for path in found if path.startswith("etc/systemd/system/llama-server@")}
    assert len(units) == 3, "the template and a drop-in for each instance"
    return found


def _refused(host: Host) -> str:
    """The saved plan is refused as stale and nothing is touched; what was said."""
    files, units = host.files(), host.invocations(UNITS)
    code, said = host.code(f"provision apply {PLAN} --yes")
    assert code == 1 and f"plan again: provision plan /root/host.yaml -o {PLAN}" in said, said
    assert host.files() == files
    assert host.invocations(UNITS) == units
    return said


def _paths(owned: list[dict[str, Any]]) -> set[str]:
    return {one["path"] for one in owned}

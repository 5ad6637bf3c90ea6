"""The main job on a real two-node machine, in one story: read, apply, prove, break, reboot, remove.

The GPUs are PCI devices that QEMU shows, with a table-driven NVML behind them; everything else
(systemd, cgroup v2, nginx, llama.cpp's HTTP server with a tiny model, the kernel) is real.
The tests build on one another and run in the order of this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .machine import CHECKOUT, VmHost, install_nvml
from .testbed.vm import Vm

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
SPEC = """\
version: 1
instances:
  chat:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: {node: 0}
    replicas: 2
    context: 256
  deep:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: {node: 1}
    numa: {nodes: [1], memory: bind}
    context: 256
gpu_settings:
  persistence: true
  power_limit_watts: 400
proxy:
  listen: 8080
"""
MARKED = SPEC.replace("  deep:\n", "  deep:\n    env: {LLAMA_MARK: 'a $b %c \"d\"'}\n")
UNITS = ("llama-server@chat.0", "llama-server@chat.1", "llama-server@deep.0")


@pytest.fixture(scope="module")
def host(vm: Vm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmHost]:
    vm.install(CHECKOUT)
    install_nvml(vm.shell, tmp_path_factory.mktemp("nvml"))
    one = VmHost(vm)
    one.spec(SPEC)
    yield one


@pytest.fixture(scope="module")
def before(host: VmHost) -> set[str]:
    """What the machine held before the first apply."""
    names = host.names()
    host.run("cp /etc/passwd /root/passwd.before; cp /etc/group /root/group.before")
    return names


def test_inspect_sees_nodes_and_gpus(host: VmHost, before: set[str]) -> None:
    facts = json.loads(host.run("provision inspect --json"))["stable"]
    assert [(node["id"], node["cpus"]) for node in facts["numa_nodes"]] == [(0, "0-1"), (1, "2-3")]
    assert facts["numa_nodes"][0]["distances"] == {"0": 10, "1": 21}
    assert [gpu["numa_node"] for gpu in facts["gpus"]] == [0, 0, 1, 1]
    assert [found["engine"] for found in facts["engines"]] == ["llama-server"]
    assert before


def test_apply_brings_it_up_and_verify_is_green(host: VmHost) -> None:
    result = host.apply()
    assert result["changed"] is True
    report = host.verify()
    aspects = {(one["subject"], one["aspect"]) for one in report["checks"]}
    for name in ("chat.0", "chat.1", "deep.0"):
        for aspect in ("unit", "cpus", "cpuset", "memory-policy", "memory", "environment"):
            assert (name, aspect) in aspects
        for aspect in ("port", "ready", "token", "proxy"):
            assert (name, aspect) in aspects


def test_pins_are_what_proc_says(host: VmHost) -> None:
    """The claims of verify, from the kernel itself."""
    cpus: dict[str, set[int]] = {}
    for unit in UNITS:
        pid = host.pid(unit)
        threads = host.run(f"grep -h Cpus_allowed_list /proc/{pid}/task/*/status")
        lists = {line.split()[1] for line in threads.splitlines()}
        assert len(lists) == 1, lists
        cpus[unit] = {cpu for part in lists.pop().split(",") for cpu in _span(part)}
        group = host.run(f"cut -d: -f3 /proc/{pid}/cgroup").strip()
        effective = host.run(f"cat '/sys/fs/cgroup{group}/cpuset.cpus.effective'").strip()
        assert {c for part in effective.split(",") for c in _span(part)} == cpus[unit]
    assert cpus[UNITS[0]] | cpus[UNITS[1]] == {0, 1}
    assert not cpus[UNITS[0]] & cpus[UNITS[1]]
    assert cpus[UNITS[2]] <= {2, 3}
    pages = host.run(f"grep anon= /proc/{host.pid(UNITS[2])}/numa_maps")
    assert "bind:1" in pages
    anonymous = [line.split() for line in pages.splitlines() if "file=" not in line]
    assert anonymous and not any(word.startswith("N0=") for one in anonymous for word in one)
    assert "prefer" in host.run(f"head -50 /proc/{host.pid(UNITS[0])}/numa_maps")


def test_gpu_environment_and_settings_hold(host: VmHost) -> None:
    seen: list[str] = []
    for unit in UNITS:
        values = host.environment(unit)
        assert values["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
        assert values["CUDA_VISIBLE_DEVICES"].startswith("GPU-")
        seen.append(values["CUDA_VISIBLE_DEVICES"])
    assert len(set(seen)) == 3
    _limits_are(host, 400)


def test_a_streamed_chat_completion_through_nginx(host: VmHost) -> None:
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 8,
            "stream": True,
            "ignore_eos": True,  # weights at random end an answer at random, too
        }
    )
    for path in ("/v1/chat/completions", "/deep/v1/chat/completions"):
        said = host.run(
            f"curl -sN -m 60 http://127.0.0.1:8080{path}"
            f" -H 'Content-Type: application/json' -d '{body}'"
        )
        pieces = [line[6:] for line in said.splitlines() if line.startswith("data: ")]
        assert pieces[-1] == "[DONE]", said
        assert sum(bool(_delta(piece)) for piece in pieces[:-1]) >= 2, said


def test_management_paths_stay_closed(host: VmHost) -> None:
    for path, code in (("/slots", "404"), ("/props", "404"), ("/v1/models", "200")):
        said = host.run(f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:8080{path}")
        assert said == code, path


def test_second_apply_writes_and_restarts_nothing(host: VmHost) -> None:
    files, units = host.files(), host.invocations(UNITS)
    result = host.apply()
    assert result["changed"] is False
    parts = ("files", "units", "conflicts", "gaps")
    assert result["changes"] == {"version": 1, **{part: [] for part in parts}}
    assert host.files() == files
    assert host.invocations(UNITS) == units
    assert host.code("provision diff /root/host.yaml")[0] == 0


def test_changed_environment_restarts_that_instance_alone(host: VmHost) -> None:
    units = host.invocations(UNITS)
    host.spec(MARKED)
    code, said = host.code("provision diff /root/host.yaml")
    assert code == 2 and "LLAMA_MARK" in said
    host.apply()
    after = host.invocations(UNITS)
    changed = {unit for unit in units if units[unit] != after[unit]}
    assert changed == {"llama-server@deep.0"}
    assert host.environment(UNITS[2])["LLAMA_MARK"] == 'a $b %c "d"'


def test_a_gpu_setting_that_is_dropped_goes_back_alone(host: VmHost) -> None:
    units = host.invocations(UNITS)
    host.spec(MARKED.replace("  power_limit_watts: 400\n", ""))
    assert host.apply()["changed"] is True
    _limits_are(host, None, persistence=True)
    host.spec(MARKED)
    assert host.apply()["changed"] is True
    _limits_are(host, 400)
    after = host.invocations(UNITS)
    assert {unit: after[unit] for unit in UNITS} == {unit: units[unit] for unit in UNITS}


def test_reboot_brings_all_of_it_back(host: VmHost) -> None:
    """Also for a plan that was saved before: what is valid for one boot alone is no part of it."""
    host.run("provision plan /root/host.yaml -o /root/plan.json")
    host.vm.reboot()
    host.wait_active(UNITS)
    host.verify()
    _limits_are(host, 400)
    assert host.apply("/root/plan.json")["changed"] is False


def test_remove_leaves_the_machine_as_it_was(host: VmHost, before: set[str]) -> None:
    code, said = host.code("provision remove --yes")
    assert code == 0, said
    after = host.names()
    assert after - before == set()
    assert before - after == set()
    units = host.run("systemctl list-units --all --plain --no-legend '*provision*' 'llama*'")
    assert units == ""
    assert host.run("systemctl is-active nginx").strip() == "active"
    host.run("diff /etc/passwd /root/passwd.before && diff /etc/group /root/group.before")
    _limits_are(host, None)
    code, said = host.code("provision remove --yes")
    assert code == 0, said


def _limits_are(host: VmHost, watts: int | None, persistence: bool | None = None) -> None:
    """All GPUs at this limit (None: the default), persistence on with a limit unless said."""
    facts = json.loads(host.run("provision inspect --json"))
    limits = {gpu["power_limit_watts"] for gpu in facts["volatile"]["gpus"]}
    modes = {gpu["persistence"] for gpu in facts["volatile"]["gpus"]}
    defaults = {gpu["power_default_watts"] for gpu in facts["stable"]["gpus"]}
    assert limits == ({float(watts)} if watts else defaults)
    assert modes == {watts is not None if persistence is None else persistence}


def _span(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def _delta(piece: str) -> str | None:
    choices = json.loads(piece).get("choices") or [{}]
    text: str | None = choices[0].get("delta", {}).get("content")
    return text

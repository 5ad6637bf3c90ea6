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
    numa: {nodes: [0], memory: bind}
    replicas: 2
    context: 256
  direct:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: {node: 1}
    pin: numactl
    context: 256
    env: {LLAMA_MARK: 'a $b %c "d"'}
gpu_settings:
  persistence: true
  power_limit_watts: 400
proxy:
  listen: 8080
  watch: {interval_seconds: 20}  # under emulation each look costs much
"""
UNITS = ("llama-server@chat.0", "llama-server@chat.1", "llama-server@direct.0")
CHAT, OTHER_CHAT, DIRECT = UNITS


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
    for name in ("chat.0", "chat.1", "direct.0"):
        for aspect in ("unit", "cpus", "memory-policy", "memory", "environment"):
            assert (name, aspect) in aspects
        assert ((name, "cpuset") in aspects) is name.startswith("chat"), "systemd's form alone"
        for aspect in ("port", "ready", "token", "proxy"):
            assert (name, aspect) in aspects


def test_instances_that_did_not_run_load_at_the_same_time(host: VmHost) -> None:
    keys = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    begun, ready = (
        [int(host.run(f"systemctl show -p {key} --value {unit}")) for unit in UNITS] for key in keys
    )
    assert max(begun) < min(ready)


def test_pins_are_what_proc_says(host: VmHost) -> None:
    """The claims of verify, from the kernel itself."""
    cpus = {unit: _cpus_of_threads(host, unit) for unit in UNITS}
    assert cpus[CHAT] | cpus[OTHER_CHAT] == {0, 1}
    assert not cpus[CHAT] & cpus[OTHER_CHAT]
    assert cpus[DIRECT] == {2, 3}
    for unit in (CHAT, OTHER_CHAT):
        group = host.run(f"cut -d: -f3 /proc/{host.pid(unit)}/cgroup").strip()
        effective = host.run(f"cat '/sys/fs/cgroup{group}/cpuset.cpus.effective'").strip()
        assert _cpus(effective) == cpus[unit]
        assert host.run(f"cat '/sys/fs/cgroup{group}/cpuset.mems.effective'").strip() == "0"
    pages = host.run(f"grep anon= /proc/{host.pid(CHAT)}/numa_maps")
    assert "bind:0" in pages
    anonymous = [line.split() for line in pages.splitlines() if "file=" not in line]
    assert anonymous and not any(word.startswith("N1=") for one in anonymous for word in one)
    assert "prefer" in host.run(f"head -50 /proc/{host.pid(DIRECT)}/numa_maps")
    assert host.run(f"systemctl show -p CPUAffinity --value {DIRECT}").strip() == "", "numactl's"


def test_gpu_environment_and_settings_hold(host: VmHost) -> None:
    seen: list[str] = []
    for unit in UNITS:
        values = host.environment(unit)
        assert values["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
        assert values["CUDA_VISIBLE_DEVICES"].startswith("GPU-")
        seen.append(values["CUDA_VISIBLE_DEVICES"])
    assert len(set(seen)) == 3
    assert host.environment(DIRECT)["LLAMA_MARK"] == 'a $b %c "d"'
    host.limits_are(400)


def test_a_streamed_chat_completion_through_nginx(host: VmHost) -> None:
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 8,
            "stream": True,
            "ignore_eos": True,  # weights at random end an answer at random, too
        }
    )
    for path in ("/v1/chat/completions", "/direct/v1/chat/completions"):
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


def test_reboot_brings_all_of_it_back(host: VmHost) -> None:
    """Also for a plan that was saved before: what is valid for one boot alone is no part of it."""
    host.run("provision plan /root/host.yaml -o /root/plan.json")
    host.vm.reboot()
    host.wait_active(UNITS)
    host.verify()
    host.limits_are(400)
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
    host.limits_are(None)
    code, said = host.code("provision remove --yes")
    assert code == 0, said


def _cpus_of_threads(host: VmHost, unit: str) -> set[int]:
    """The CPUs that all threads of the unit's main process may run on."""
    threads = host.run(f"grep -h Cpus_allowed_list /proc/{host.pid(unit)}/task/*/status")
    lists = {line.split()[1] for line in threads.splitlines()}
    assert len(lists) == 1, lists
    return _cpus(lists.pop())


def _cpus(text: str) -> set[int]:
    """`0-1,4` as numbers."""
    spans = [part.partition("-") for part in text.split(",")]
    return {cpu for first, _, last in spans for cpu in range(int(first), int(last or first) + 1)}


def _delta(piece: str) -> str | None:
    choices = json.loads(piece).get("choices") or [{}]
    text: str | None = choices[0].get("delta", {}).get("content")
    return text

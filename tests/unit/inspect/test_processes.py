from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.inspect.running.processes import process_name, unit_in_cgroup, unit_of

from .tree import Machine


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("0::/system.slice/system-ollama.slice/ollama@chat.0.service", "ollama@chat.0.service"),
        ("0::/system.slice/llama-server@a-b.0.service", "llama-server@a-b.0.service"),
        ("0::/system.slice/vllm.service/worker", "vllm.service"),  # Delegate=
        ("0::/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/ollama.service",
            "user@1000.service",
        ),
        ("0::/system.slice/_memory.service", "memory.service"),
        ("0::/init.scope", "init.scope"),
        ("0::/", None),
        ("", None),
        ("0::/docker/0a1b2c", None),
        # Containers: their scope, or nothing, but never a unit of their own systemd.
        ("0::/system.slice/docker-0a1b.scope", "docker-0a1b.scope"),
        ("0::/system.slice/docker-0a1b.scope/system.slice/nginx.service", "docker-0a1b.scope"),
        ("0::/machine.slice/libpod-0a1b.scope/container", "libpod-0a1b.scope"),
        (
            "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-0a1b.scope",
            "cri-containerd-0a1b.scope",
        ),
        ("0::/kubepods/burstable/pod1/0a1b", None),
        ("0::/lxc.payload.web/system.slice/nginx.service", None),
        ("3:name=systemd:/docker/0a1b/system.slice/nginx.service", None),
        (
            "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
            "systemd-nspawn@web.service",
        ),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-0a1b.scope",
            "user@1000.service",
        ),
        ("0::/system.slice/gone.service (deleted)", "gone.service"),
        # v1 and hybrid: the line of systemd's own hierarchy counts.
        (
            "4:memory:/other\n1:name=systemd:/system.slice/nginx.service\n0::/system.slice",
            "nginx.service",
        ),
        ("1:name=systemd:/\n0::/system.slice/nginx.service", "nginx.service"),
        ("nonsense", None),
    ],
)
def test_units(text: str, unit: str | None) -> None:
    assert unit_in_cgroup(text) == unit


def test_a_container_that_sees_the_cgroups_of_its_host() -> None:
    outer = "/system.slice/docker-0a1b.scope"
    text = f"1:name=systemd:{outer}/system.slice/nginx.service\n0::/"
    init = f"1:name=systemd:{outer}/init.scope\n0::/"
    assert unit_in_cgroup(text, init) == "nginx.service"
    assert unit_in_cgroup(text, "1:name=systemd:/init.scope\n") == "docker-0a1b.scope"


def test_a_process_that_is_gone_or_unreadable(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert process_name(machine.tree, 7) is None
    assert unit_of(machine.tree, 7) is None
    machine.file("/proc/7/comm", "\n")
    machine.data("/proc/7/cgroup", b"\xff\0::/\n:::\n0::\n")
    assert process_name(machine.tree, 7) is None
    assert unit_of(machine.tree, 7) is None
    machine.process(8, "VLLM::EngineCor", "0::/system.slice/vllm@a.0.service")
    assert process_name(machine.tree, 8) == "VLLM::EngineCor"
    assert unit_of(machine.tree, 8) == "vllm@a.0.service"

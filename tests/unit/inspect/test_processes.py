from __future__ import annotations

import pytest

from provision.host.inspect.processes import unit_in_cgroup


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

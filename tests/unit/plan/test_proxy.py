"""Ways in through nginx."""

from __future__ import annotations

from typing import Any

import pytest

from provision.plan.plan import Member, Proxy
from provision.plan.proxy import route_name

from .machines import four_3090s, plan, spec

INSTANCES: dict[str, Any] = {
    "chat": {"engine": "vllm", "model": "Qwen/Qwen3-8B", "gpus": 2},
    "small": {"engine": "ollama", "model": "llama3.1:8b", "replicas": 2},
}


def proxy(**settings: Any) -> Proxy:
    made = plan(spec(INSTANCES, proxy=settings), four_3090s()).proxy
    assert made is not None
    return made


def test_without_upstreams_every_group_and_the_first_as_root() -> None:
    found = proxy(listen=8080)
    assert found.listen == ("127.0.0.1:8080",)
    assert [(one.name, one.path, one.strip) for one in found.routes] == [
        ("root", "/", False),
        ("path-chat", "/chat/", True),
        ("path-small", "/small/", True),
    ]
    assert found.routes[2].members == (Member("small.0", 11434), Member("small.1", 11435))


def test_the_engine_says_what_may_be_asked_and_how_long_connections_live() -> None:
    found = {one.engine: one for one in proxy(listen=8080).routes}
    assert "/api/chat" in found["ollama"].paths and "/api/pull" not in found["ollama"].paths
    assert "/v1/chat/completions" in found["vllm"].paths
    assert found["vllm"].keepalive_timeout_seconds == 4
    assert found["ollama"].keepalive_timeout_seconds == 60
    assert not any(one.all_paths for one in found.values())
    assert found["ollama"].host_header == "localhost"


def test_weights_hold_for_every_copy() -> None:
    found = proxy(listen=8080, upstreams=[{"path": "/", "instances": {"small": 3}}])
    assert [(one.instance, one.weight) for one in found.routes[0].members] == [
        ("small.0", 3),
        ("small.1", 3),
    ]


def test_paths_and_ports() -> None:
    found = proxy(
        listen="127.0.0.1:8080",
        upstreams=[
            {"path": "/large", "instances": ["chat"]},
            {"port": 9000, "instances": ["small"]},
        ],
    )
    large, own = found.routes
    assert (large.path, large.strip, large.listen) == ("/large/", True, ("127.0.0.1:8080",))
    assert (own.path, own.strip, own.listen) == ("/", False, ("127.0.0.1:9000",))
    assert own.name == "port-9000"


def test_settings_are_carried_over() -> None:
    found = proxy(
        listen="[::]:443",
        keys={"file": "/etc/llm/keys"},
        allow=["10.0.0.0/8"],
        max_body_mib=8,
        timeouts={"connect_seconds": 3, "read_seconds": 60, "send_seconds": 7},
    )
    assert found.listen == ("[::]:443",)
    assert (found.keys_file, found.allow) == ("/etc/llm/keys", ("10.0.0.0/8",))
    assert found.max_body_mib == 8
    timeouts = (
        found.connect_timeout_seconds,
        found.read_timeout_seconds,
        found.send_timeout_seconds,
    )
    assert timeouts == (3, 60, 7)


def test_no_proxy() -> None:
    made = plan(spec(INSTANCES), four_3090s())
    assert made.proxy is None


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "root"), ("/large/", "path-large"), ("/a-1/", "path-a-1")],
)
def test_names_of_plain_paths(path: str, name: str) -> None:
    assert route_name(path) == name


def test_other_paths_get_a_name_that_is_safe_and_their_own() -> None:
    paths = ["/a/b/", "/a-b/", "/A-b/", "/a.b/", "/~/", "/a_b/", "/" + "x/" * 80]
    names = [route_name(path) for path in paths]
    assert len(set(names)) == len(paths)
    for name in names:
        assert len(name) <= 60
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")

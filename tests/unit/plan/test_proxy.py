"""Ways in through nginx."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from provision.host.errors import ProvisionError
from provision.host.facts import Facts, NginxFound
from provision.plan.plan import Backup, Member, Plan, Proxy, RateLimit, Tls
from provision.plan.proxy import route_name

from .machines import four_3090s, plan, spec, with_stable

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


def able(*modules: str, loaded: tuple[str, ...] = (), distribution: str = "debian 12") -> Facts:
    """The host with an nginx of these modules."""
    facts = four_3090s()
    nginx = NginxFound("/usr/sbin/nginx", "1.27.4", modules=modules, loaded_modules=loaded)
    system = dataclasses.replace(facts.stable.system, distribution=distribution)
    return with_stable(facts, nginx=nginx, system=system)


def made(facts: Facts, instances: dict[str, Any] | None = None, **settings: Any) -> Plan:
    return plan(spec(instances or INSTANCES, proxy={"listen": 8080, **settings}), facts)


def rules(facts: Facts, instances: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    with pytest.raises(ProvisionError) as caught:
        made(facts, instances, **settings)
    assert all(one.place for one in caught.value.diagnostics if one.severity == "error")
    return [one.rule for one in caught.value.diagnostics if one.severity == "error"]


TLS = {"certificate": "/etc/llm/c.pem", "key": "/etc/llm/k.pem"}


def test_limits_tls_and_log_are_carried_over() -> None:
    facts = able("http_ssl_module", "http_v2_module")
    found = made(
        facts,
        tls=TLS,
        rate_limit={"requests_per_second": 2, "burst": 3},
        max_connections=9,
        access_log="/var/log/llm.log",
    ).proxy
    assert found and found.tls == Tls("/etc/llm/c.pem", "/etc/llm/k.pem", True)
    assert (found.rate_limit, found.max_connections) == (RateLimit(2, 3, "address"), 9)
    assert (found.access_log, found.nginx_version) == ("/var/log/llm.log", "1.27.4")
    assert proxy(listen=8080).access_log == "/var/log/nginx/provision.log"
    assert proxy(listen=8080, access_log="off").access_log is None


def test_http2_only_where_nginx_can() -> None:
    found = made(able("http_ssl_module"), tls=TLS)
    assert found.proxy and found.proxy.tls and not found.proxy.tls.http2
    assert "nginx-without-http2" in [one.rule for one in found.warnings]
    quiet = made(able("http_ssl_module"), tls={**TLS, "http2": False})
    assert "nginx-without-http2" not in [one.rule for one in quiet.warnings]
    assert rules(able("http_realip_module"), tls=TLS) == ["nginx-without-tls"]


def test_by_model_makes_a_pool_of_what_serves_the_same() -> None:
    on_cpu = {"engine": "ollama", "model": "llama3.1:8b", "gpus": 0}
    instances = {"chat": INSTANCES["chat"], "small": on_cpu, "more": INSTANCES["chat"]}
    ways = [{"path": "/", "instances": {"chat": 2, "small": 1, "more": 3}, "by_model": True}]
    facts = able(loaded=("ngx_http_js_module.so",))
    found = made(facts, instances, upstreams=ways).proxy
    assert found
    (route,) = found.routes
    assert [(one.name, one.engine) for one in route.pools] == [
        ("chat", "vllm"),
        ("small", "ollama"),
    ]
    chat, small = route.pools
    assert chat.members == (Member("chat.0", 8000, 2), Member("more.0", 8001, 3))
    assert (chat.models, chat.listed) == (("Qwen/Qwen3-8B",), ("Qwen/Qwen3-8B",))
    assert (small.models[0], small.listed) == ("llama3.1:8b", ("llama3.1:8b",))
    assert len(route.members) == 3 and route.keepalive_timeout_seconds == 4
    assert "/api/chat" in route.paths and "/v1/score" in route.paths
    assert "/v1/score" not in small.paths


def test_by_model_needs_its_module() -> None:
    ways = [{"path": "/", "instances": ["chat", "small"], "by_model": True}]
    assert rules(able(), upstreams=ways) == ["nginx-without-njs"]


def test_a_name_in_two_pools_is_an_error_at_the_second() -> None:
    instances = {
        "one": {"engine": "ollama", "models": ["llama3.1:8b", "phi4"], "gpus": 1},
        "two": {"engine": "ollama", "models": ["qwen3:8b", "phi4:latest"], "gpus": 1},
    }
    facts = able(loaded=("ngx_http_js_module.so",))
    ways = [{"path": "/", "instances": ["one", "two"], "by_model": True}]
    with pytest.raises(ProvisionError) as caught:
        made(facts, instances, upstreams=ways)
    (found,) = caught.value.diagnostics
    assert found.rule == "model-in-two-pools" and "one and two both serve phi4" in found.message
    assert found.place and found.place.text.strip() == "- two"


def test_a_backup_elsewhere_or_here() -> None:
    ways = [
        {
            "path": "/",
            "instances": ["chat"],
            "max_in_flight": 8,
            "backup": {"url": "https://api.example.com/v1", "key": {"file": "/etc/llm/key"}},
        },
        {"path": "/small", "instances": ["small"], "backup": {"instances": ["chat"]}},
    ]
    for distribution, authorities in (
        ("debian 12", "/etc/ssl/certs/ca-certificates.crt"),
        ("rocky 9.4", "/etc/pki/tls/certs/ca-bundle.crt"),
        ("sles 15.5", "/etc/ssl/ca-bundle.pem"),
    ):
        found = made(able(distribution=distribution), upstreams=ways).proxy
        assert found
        chat, small = found.routes
        assert chat.backup == Backup((), "https://api.example.com/v1", "/etc/llm/key", authorities)
        assert chat.max_in_flight == 8
        assert small.backup == Backup((Member("chat.0", 8000),))


def test_all_but_one_stay_unless_less_is_asked() -> None:
    instances = {
        "chat": {**INSTANCES["chat"], "drain_seconds": 7},
        "small": {**INSTANCES["small"], "min_healthy": 0},
        "tiny": {"engine": "ollama", "model": "phi4", "gpus": 0, "replicas": 3},
    }
    found = {one.name: one for one in plan(spec(instances), four_3090s()).instances}
    assert [(name, one.min_healthy, one.drain_seconds) for name, one in found.items()] == [
        ("chat.0", 0, 7),
        ("small.0", 0, 300),
        ("small.1", 0, 300),
        ("tiny.0", 2, 300),
        ("tiny.1", 2, 300),
        ("tiny.2", 2, 300),
    ]


def test_more_healthy_replicas_than_there_are_going_to_be() -> None:
    small = {"engine": "ollama", "model": "llama3.1:8b", "replicas": "per-gpu", "min_healthy": 4}
    with pytest.raises(ProvisionError) as caught:
        plan(spec({"small": small}), four_3090s())
    (found,) = caught.value.diagnostics
    assert found.rule == "min-healthy" and "at most 3" in found.message
    assert found.place and "min_healthy" in found.place.text


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

"""Who and what is let in, through a real nginx: paths, keys, networks, the health answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.host import probe
from provision.host.balancer.upstreams import UNSET
from provision.host.bundle import Bundle
from provision.plan.plan import Plan, Proxy
from provision.render.bundle import render
from tests.unit.render import plans

from .certificates import OPENSSL, certificate
from .nginx_bed import (
    NGINX,
    NJS,
    Answer,
    Backend,
    ask,
    backends,
    check,
    free_ports,
    lay_out,
    running,
)

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
KEY = "sk-Proof-" + "k" * 503  # as long as a key may be, far longer than nginx's usual hash bucket
SECOND = "a.b+c/d~e_f-g=="
BODY = b"{}"


def two_paths(listen: int, chat: int, small: int) -> Plan:
    """vLLM under /, Ollama under /small/."""
    one, two = plans.vllm(port=chat), plans.ollama(port=small)
    address = f"127.0.0.1:{listen}"
    routes = (
        plans.route("chat", "/", one, listen=address),
        plans.route("small", "/small/", two, listen=address),
    )
    return plans.plan(one, two, proxy=Proxy((address,), routes))


class Site:
    """A running proxy before a vLLM and an Ollama."""

    def __init__(self, listen: int, chat: Backend, small: Backend, bundle: Bundle) -> None:
        self.listen, self.chat, self.small, self.bundle = listen, chat, small, bundle

    def ask(self, path: str, body: bytes | None = BODY, **headers: str) -> Answer:
        return ask(self.listen, path, body, {n.replace("_", "-"): v for n, v in headers.items()})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    listen, chat, small = free_ports(3)
    bundle = render(two_paths(listen, chat, small))
    members = Backend(chat), Backend(small)
    main = lay_out(bundle, tmp_path_factory.mktemp("site"))
    with backends(*members), running(main, listen):
        yield Site(listen, *members, bundle)


@pytest.fixture
def guarded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The same with keys, with an allow list, or with both, as the parameter says."""
    keys, allow = request.param
    listen, chat, small = free_ports(3)
    plan = two_paths(listen, chat, small)
    assert plan.proxy
    proxy = dataclasses.replace(
        plan.proxy,
        keys_file="/etc/llm/keys" if keys else None,
        allow=("192.0.2.0/24", "2001:db8::/32") if allow else (),
    )
    bundle = render(dataclasses.replace(plan, proxy=proxy))
    members = Backend(chat), Backend(small)
    main = lay_out(bundle, tmp_path, keys=(KEY, SECOND))
    with backends(*members), running(main, listen):
        yield Site(listen, *members, bundle)


def test_inference_passes_and_prefixes_are_cut(site: Site) -> None:
    assert site.ask("/v1/chat/completions").json()["path"] == "/v1/chat/completions"
    assert site.ask("/v1/responses/abc?x=1").json()["path"] == "/v1/responses/abc?x=1"
    answer = site.ask("/small/api/chat?a=%20b").json()
    assert (answer["port"], answer["path"]) == (site.small.port, "/api/chat?a=%20b")
    assert site.ask("/small/v1/models/x", None).json()["path"] == "/v1/models/x"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/v1",
        "/v1/load_lora_adapter",
        "/v1/chat/completions/",
        "/v1/chat/completionsx",
        "/sleep",
        "/api/chat",
        "/small",
        "/small/",
        "/small/api/pull",
        "/small/api/create",
        "/small/api/delete",
        "/small/api/push",
        "/small/api/blobs/sha256:00",
        "/small/api/chat/../pull",
        "/small/v1/models/../../api/pull",
        "/small/v1/models/%2e%2e/%2e%2e/api/pull",
        "/small/v1/models/..%2f..%2fapi/pull",
        "/small//api//pull",
        "/v1/responses/../../metrics",
        "/SMALL/api/chat",
    ],
)
def test_everything_else_is_404_and_never_reaches_an_engine(site: Site, path: str) -> None:
    before = len(site.chat.seen) + len(site.small.seen)
    answer = site.ask(path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == 404  # type: ignore[index]  # JSON of our own template
    assert len(site.chat.seen) + len(site.small.seen) == before


def test_what_is_passed_on_is_what_was_checked(site: Site) -> None:
    """A path that only looks like management before it is resolved arrives resolved."""
    answer = site.ask("/small/api/pull/../chat")
    assert answer.json()["path"] == "/api/chat"
    assert site.ask("/small//v1//models/a%2Fb", None).json()["path"] == "/v1/models/a/b"


def test_headers_towards_the_engine(site: Site) -> None:
    site.ask("/small/api/chat", Host="llm.example.com", X_Forwarded_For="192.0.2.7")
    headers = site.small.seen[-1].headers
    assert headers["host"] == "localhost", "Ollama answers 403 to public names"
    assert headers["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
    assert headers["x-forwarded-host"] == "llm.example.com"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-real-ip"] == "127.0.0.1"
    assert "connection" not in headers


def test_the_workers_tell_the_mark_of_what_they_have_loaded(site: Site) -> None:
    """The rendered file holds the mark UNSET; the host half writes another before each reload."""
    assert site.bundle.nginx and site.bundle.nginx.health and site.bundle.nginx.answer
    assert site.bundle.nginx.health.body_has is None
    assert site.bundle.nginx.health.url == f"http://127.0.0.1:{site.listen}/_provision/health"
    answer = site.ask("/_provision/health", None)
    assert (answer.status, answer.body.decode()) == (200, f"{UNSET}\n")
    asked = dataclasses.replace(site.bundle.nginx.health, body_has=UNSET)
    assert probe.ask(asked).ok
    assert not probe.ask(dataclasses.replace(asked, body_has="1" * 64)).ok


def test_probes_through_the_proxy_arrive(site: Site) -> None:
    for instance, engine in zip(site.bundle.instances, (site.chat, site.small), strict=True):
        asked = instance.through_proxy
        assert asked and asked.body and instance.runtime.token
        path = asked.url.removeprefix(f"http://127.0.0.1:{site.listen}")
        answer = ask(site.listen, path, asked.body.encode(), asked.headers)
        assert answer.status == 200
        assert answer.json()["port"] == engine.port
        assert instance.runtime.token.url.endswith(str(answer.json()["path"]))


@pytest.mark.parametrize("guarded", [(True, False)], indirect=True)
def test_keys(guarded: Site) -> None:
    path = "/v1/chat/completions"
    assert guarded.ask(path, Authorization=f"Bearer {KEY}").status == 200
    assert guarded.ask(path, Authorization=f"Bearer {SECOND}").status == 200
    assert guarded.ask("/small/api/chat", x_api_key=KEY).status == 200
    seen = len(guarded.chat.seen) + len(guarded.small.seen)
    refused: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY.swapcase()}"},
        {"x_api_key": KEY.swapcase()},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"x_api_key": "wrong"},
        {"x_api_key": ""},
        {"x_api_key": f"Bearer {KEY}"},
    )
    for headers in refused:
        answer = guarded.ask(path, BODY, **headers)
        assert answer.status == 401, headers
        assert json.loads(answer.body)["error"]["code"] == 401
    for closed in ("/", "/metrics", "/_provision/health:00", "/_provision/health/", "/:00"):
        assert guarded.ask(closed).status == 401, closed
    assert len(guarded.chat.seen) + len(guarded.small.seen) == seen
    assert guarded.ask("/_provision/health", None).status == 200


@pytest.mark.parametrize("guarded", [(False, True)], indirect=True)
def test_networks(guarded: Site) -> None:
    """127.0.0.2 stands for a stranger; 127.0.0.1 is this machine's own probes."""
    path = "/v1/chat/completions"
    assert guarded.ask(path).status == 200
    assert ask(guarded.listen, path, BODY, source="127.0.0.2").status == 403
    assert len(guarded.chat.seen) == 1


@pytest.mark.parametrize("guarded", [(True, True)], indirect=True)
def test_keys_and_networks_are_both_needed(guarded: Site) -> None:
    path, good = "/v1/chat/completions", {"Authorization": f"Bearer {KEY}"}
    assert ask(guarded.listen, path, BODY, good).status == 200
    assert ask(guarded.listen, path, BODY).status == 401
    assert ask(guarded.listen, path, BODY, good, source="127.0.0.2").status == 403
    assert ask(guarded.listen, path, BODY, source="127.0.0.2").status in (401, 403)
    assert len(guarded.chat.seen) == 1


def test_a_server_marked_down_gets_nothing(tmp_path: Path) -> None:
    """The host half swaps the down form in."""
    listen, *ports = free_ports(3)
    launches = [plans.vllm(f"chat.{at}", port=port) for at, port in enumerate(ports)]
    route = plans.route("chat", "/", *launches, listen=f"127.0.0.1:{listen}")
    bundle = render(plans.plan(*launches, proxy=Proxy(route.listen, (route,))))
    main = lay_out(bundle, tmp_path)
    assert bundle.nginx
    first, second = bundle.nginx.servers
    assert (first.route, first.instance, second.instance) == ("chat", "chat.0", "chat.1")
    line = tmp_path / first.path.lstrip("/")
    assert line.read_text() == first.up != first.down
    line.write_text(first.down)
    members = [Backend(port) for port in ports]
    with backends(*members), running(main, listen):
        for _ in range(10):
            assert ask(listen, "/v1/completions", BODY).status == 200
    assert [len(one.seen) for one in members] == [0, 10]


def test_ipv6_and_all_paths(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    launch = plans.vllm(port=port)
    addresses = (f"127.0.0.1:{listen}", f"[::1]:{listen}")
    route = dataclasses.replace(plans.route("chat", "/", launch), listen=addresses, all_paths=True)
    bundle = render(plans.plan(launch, proxy=Proxy(addresses, (route,))))
    main = lay_out(bundle, tmp_path)
    with backends(Backend(port)), running(main, listen):
        assert ask(listen, "/metrics", None).json()["path"] == "/metrics"
        assert ask(listen, "/v1/x", BODY, address="::1").json()["path"] == "/v1/x"
    text = (tmp_path / "etc/nginx/conf.d/provision.conf").read_text()
    assert text.count("server {") == 1, "two listeners with the same routes share a block"


@pytest.mark.parametrize("name", [name for name in sorted(plans.ALL) if plans.ALL[name]().proxy])
def test_nginx_reads_it_without_a_word(name: str, tmp_path: Path) -> None:
    plan = _on_loopback(plans.ALL[name]())
    if plan.proxy and plan.proxy.tls:
        if not (OPENSSL and NJS):
            pytest.skip("needs openssl and nginx's njs module")
        plan = _with_certificates(plan, tmp_path / "tls")
    main = lay_out(render(plan), tmp_path, keys=(KEY,))
    done = check(main)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    said = (tmp_path / "error.log").read_text() if (tmp_path / "error.log").exists() else ""
    assert said == ""


def test_hostile_strings_stay_strings(tmp_path: Path) -> None:
    """A Host header of every character that means something to nginx, but `$`."""
    hostile = "a\"; } server { listen 1; } # \\ ' % é {}"
    listen, port = free_ports(2)
    plan = two_paths(listen, port, port)
    assert plan.proxy
    routes = tuple(dataclasses.replace(one, host_header=hostile) for one in plan.proxy.routes)
    bundle = render(dataclasses.replace(plan, proxy=dataclasses.replace(plan.proxy, routes=routes)))
    main = lay_out(bundle, tmp_path)
    engine = Backend(port)
    with backends(engine), running(main, listen):
        assert ask(listen, "/v1/completions", BODY).status == 200
    assert engine.seen[-1].headers["host"].encode("latin-1").decode() == hostile


def _with_certificates(plan: Plan, folder: Path) -> Plan:
    """The same plan with files that are there."""
    assert plan.proxy and plan.proxy.tls
    made = certificate(folder, "llm.example.test")
    tls = dataclasses.replace(plan.proxy.tls, certificate=str(made.certificate), key=str(made.key))
    routes = tuple(
        dataclasses.replace(
            one, backup=dataclasses.replace(one.backup, authorities=str(made.authority))
        )
        if one.backup and one.backup.authorities
        else one
        for one in plan.proxy.routes
    )
    proxy = dataclasses.replace(plan.proxy, tls=tls, routes=routes)
    return dataclasses.replace(plan, proxy=proxy)


def _on_loopback(plan: Plan) -> Plan:
    """The same plan on an address that every machine has, for `nginx -t` binds it."""
    assert plan.proxy
    ports = free_ports(8)
    known: dict[str, str] = {}

    def moved(listen: str) -> str:
        host = "[::1]" if listen.startswith("[") else "127.0.0.1"
        return known.setdefault(listen, f"{host}:{ports[len(known)]}")

    routes = tuple(
        dataclasses.replace(route, listen=tuple(moved(one) for one in route.listen))
        for route in plan.proxy.routes
    )
    return dataclasses.replace(plan, proxy=dataclasses.replace(plan.proxy, routes=routes))

"""TLS and HTTP/2 through a real nginx."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.host import probe
from provision.plan.plan import Tls
from provision.render.bundle import render

from .certificates import OPENSSL, Certificate, certificate
from .http2_client import Http2
from .nginx_bed import NGINX, Backend, ask, backends, check, free_ports, lay_out, reload, running
from .nginx_plans import one_route

pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="needs nginx and openssl")
NAME = "llm.example.test"
BODY = b"{}"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls") / "with a blank", NAME)


class Site:
    def __init__(self, listen: int, engine: Backend, ours: Certificate) -> None:
        self.listen, self.engine, self.ours = listen, engine, ours

    def https(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        context = context or self.ours.trusted()
        context.check_hostname = False  # asked by address
        return http.client.HTTPSConnection("127.0.0.1", self.listen, timeout=30, context=context)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, ours: Certificate) -> Iterator[Site]:
    listen, port = free_ports(2)
    tls = Tls(str(ours.certificate), str(ours.key))
    plan = one_route(listen, port, tls=tls, nginx_version="1.22.1")
    engine = Backend(port)
    main = lay_out(render(plan), tmp_path_factory.mktemp("site"))
    with backends(engine), running(main, listen):
        yield Site(listen, engine, ours)


def test_requests_pass_and_the_engine_learns_how_they_came(site: Site) -> None:
    client = site.https()
    client.request("POST", "/v1/completions", BODY)
    answer = client.getresponse()
    assert (answer.status, answer.getheader("Connection")) == (200, "close")
    assert site.engine.seen[-1].headers["x-forwarded-proto"] == "https"
    client.close()


def test_plain_http_is_refused_in_json(site: Site) -> None:
    answer = ask(site.listen, "/v1/completions", BODY)
    assert answer.status == 400
    assert answer.json()["error"]["code"] == 400  # type: ignore[index]  # JSON of our own template


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_from_1_2(site: Site, version: ssl.TLSVersion) -> None:
    context = site.ours.trusted()
    context.maximum_version = version
    client = site.https(context)
    client.request("POST", "/v1/completions", BODY)
    assert client.getresponse().status == 200
    client.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_tls_is_not_spoken(site: Site) -> None:
    context = site.ours.trusted()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        site.https(context).request("POST", "/v1/completions", BODY)


def test_our_own_probes_come_through(site: Site) -> None:
    """By address, whatever name the certificate is for."""
    tls = Tls(str(site.ours.certificate), str(site.ours.key))
    bundle = render(one_route(site.listen, site.engine.port, tls=tls))
    assert bundle.nginx and bundle.nginx.health and bundle.instances[0].through_proxy
    assert bundle.nginx.requires == tuple(sorted((tls.certificate, tls.key)))
    assert bundle.nginx.health.url.startswith("https://127.0.0.1:")
    assert probe.ask(bundle.nginx.health).ok
    outcome = probe.ask(bundle.instances[0].through_proxy)
    assert outcome.status == 200, outcome.why


def test_http2_streams_share_a_connection(site: Site) -> None:
    client = Http2(site.listen, site.ours.trusted(), NAME)
    assert client.protocol == "h2"
    streams = [client.post("/v1/completions", BODY) for _ in range(3)]
    heard = client.hear(*streams)
    again = client.post("/v1/completions", BODY)
    heard = client.hear(again)
    assert heard.last is None, "the connection was ended while streams were open"
    assert {heard.statuses[one] for one in (*streams, again)} == {200}
    assert json.loads(heard.bodies[again])["path"] == "/v1/completions"
    client.close()


def test_a_reload_tells_http2_clients_what_was_not_worked_on(
    tmp_path: Path, ours: Certificate
) -> None:
    """The running stream ends whole; of a later one the client learns that it may send it again."""
    listen, port = free_ports(2)
    tls = Tls(str(ours.certificate), str(ours.key))
    engine = Backend(port, held=threading.Event())
    main = lay_out(render(one_route(listen, port, tls=tls, nginx_version="1.22.1")), tmp_path)
    with backends(engine), running(main, listen) as pid:
        client = Http2(listen, ours.trusted(), NAME)
        first = client.post("/v1/completions", BODY)
        while not engine.seen:
            pass
        reload(pid, main)
        later = client.post("/v1/completions", BODY)
        assert engine.held
        engine.held.set()
        heard = client.hear(first)
        assert (heard.statuses[first], heard.last) == (200, first)
        client.close()
        assert later > first and len(engine.seen) == 1
        other = Http2(listen, ours.trusted(), NAME)
        again = other.post("/v1/completions", BODY)
        assert other.hear(again).statuses[again] == 200
        other.close()


@pytest.mark.parametrize(
    ("version", "on"), [("1.22.1", "listen 127.0.0.1:1 ssl http2;"), ("1.27.4", "http2 on;")]
)
def test_http2_is_switched_on_as_the_version_wants_it(version: str, on: str) -> None:
    plan = one_route(1, 2, tls=Tls("/etc/llm/c", "/etc/llm/k"), nginx_version=version)
    entry = {one.path: one.content for one in render(plan).artifacts}
    text = entry["/etc/nginx/conf.d/provision.conf"]
    assert on in text and text.count("http2 on;") + text.count("ssl http2;") == 1


def test_without_http2(tmp_path: Path, ours: Certificate) -> None:
    listen, port = free_ports(2)
    tls = Tls(str(ours.certificate), str(ours.key), http2=False)
    main = lay_out(render(one_route(listen, port, tls=tls)), tmp_path)
    assert check(main).returncode == 0
    with backends(Backend(port)), running(main, listen):
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            Http2(listen, ours.trusted(), NAME)
        client = Site(listen, Backend(port), ours).https()
        client.request("POST", "/v1/completions", BODY)
        assert client.getresponse().status == 200
        client.close()

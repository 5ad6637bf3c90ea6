"""Routing by the `model` of the body, through a real nginx with its njs module."""

from __future__ import annotations

import dataclasses
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.host import probe
from provision.host.bundle import Bundle
from provision.render.bundle import render

from .nginx_bed import (
    NGINX,
    NJS,
    PIECES,
    Answer,
    Backend,
    ask,
    backends,
    free_ports,
    lay_out,
    log_lines,
    running,
    stream_taken_piece_by_piece,
)
from .nginx_plans import by_model

pytestmark = pytest.mark.skipif(
    not (NGINX and NJS), reason="needs nginx with its njs module (libnginx-mod-http-js)"
)
CHAT = "/v1/chat/completions"


class Site:
    """vLLM as chat, Ollama as small, llama-server as deep, all behind one path."""

    def __init__(self, listen: int, members: list[Backend], bundle: Bundle, prefix: str) -> None:
        self.listen, self.bundle, self.prefix = listen, bundle, prefix
        self.chat, self.small, self.deep = members

    def post(self, body: Any, path: str = CHAT, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content-Type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.listen, self.prefix + path, data, named)

    def port(self, model: Any, path: str = CHAT) -> object:
        answer = self.post({"messages": [], "model": model}, path)
        return answer.json().get("port") if answer.status == 200 else answer.status


@pytest.fixture(scope="module", params=["/", "/a.b/"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    listen, *ports = free_ports(4)
    bundle = render(by_model(listen, ports, path=request.param))
    members = [Backend(port) for port in ports]
    main = lay_out(bundle, tmp_path_factory.mktemp("site"))
    with backends(*members), running(main, listen):
        yield Site(listen, members, bundle, request.param.rstrip("/"))


def test_each_model_goes_to_who_serves_it(site: Site) -> None:
    chat, small, deep = (one.port for one in (site.chat, site.small, site.deep))
    assert [site.port(name) for name in ("big", "gpt-4")] == [chat, chat]
    for name in ("llama3.1:8b", "registry.ollama.ai/library/llama3.1:8b", "phi4", "phi4:latest"):
        assert site.port(name) == small, name
    for name in ("tiny model", "tiny model.gguf", "/srv/models/tiny model.gguf"):
        assert site.port(name) == deep, name
    assert site.small.seen[-1].path == CHAT, "a prefix is cut"
    assert site.post({"model": "big"}, CHAT + "?a=%20b").json()["path"] == CHAT + "?a=%20b"


def test_the_request_arrives_as_it_was(site: Site) -> None:
    body = '{"messages": [{"content": "héllo \\u0041 \\"model\\": \\"phi4\\""}], "model": "big"}'
    answer = site.post(body.encode(), Authorization="Bearer sk-x")
    assert answer.json()["port"] == site.chat.port
    seen = site.chat.seen[-1]
    assert seen.body == body.encode()
    assert (seen.headers["host"], seen.headers["authorization"]) == ("localhost", "Bearer sk-x")


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-5"},
        {"model": "BIG"},
        {"model": ""},
        {"model": None},
        {"model": 4},
        {"model": ["big"]},
        {"model": "constructor"},
        {"model": "__proto__"},
        {"inner": {"model": "big"}},
        {},
        [],
        "big",
        None,
        b"",
        b"{",
        b"\xff\xfe",
    ],
)
def test_other_models_are_404_and_the_answer_names_those_there_are(site: Site, body: Any) -> None:
    before = [len(one.seen) for one in (site.chat, site.small, site.deep)]
    answer = site.post(body)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    error: Any = answer.json()["error"]
    assert "served: big, llama3.1:8b, phi4:latest, tiny model" in error["message"]
    assert error["code"] == 404
    assert [len(one.seen) for one in (site.chat, site.small, site.deep)] == before


def test_a_path_that_this_engine_does_not_have_is_404(site: Site) -> None:
    assert site.port("phi4", "/api/chat") == site.small.port
    assert site.port("big", "/api/chat") == 404
    assert site.port("phi4", "/tokenize") == 404
    assert site.port("tiny model", "/tokenize") == site.deep.port
    assert site.port("phi4", "/api/pull") == 404
    assert ask(site.listen, site.prefix + "/metrics", None).status == 404


def test_the_list_of_models_is_that_of_all(site: Site) -> None:
    listed: Any = ask(site.listen, site.prefix + "/v1/models", None).json()
    assert listed["object"] == "list"
    names = [one["id"] for one in listed["data"]]
    assert names == ["big", "llama3.1:8b", "phi4:latest", "tiny model"]
    one = ask(site.listen, site.prefix + "/v1/models/gpt-4", None)
    assert (one.status, one.json()["id"]) == (200, "gpt-4")
    assert ask(site.listen, site.prefix + "/v1/models/gpt-5", None).status == 404
    assert not any(seen.path.startswith("/v1/models") for seen in site.chat.seen)


@pytest.mark.parametrize("size", [5, 60])
def test_a_large_body_passes(site: Site, size: int) -> None:
    """The model stands behind all of it, as OpenAI's own client writes it."""
    content = ('a line with "quotes" in it\n' * (size * 2**20 // 30))[: size * 2**20]
    body = json.dumps({"messages": [{"role": "user", "content": content}], "model": "phi4"})
    answer = site.post(body.encode())
    assert answer.json() == {"port": site.small.port, "path": CHAT, "body_bytes": len(body)}


def test_a_chunked_body_passes(site: Site) -> None:
    client = http.client.HTTPConnection("127.0.0.1", site.listen, timeout=30)
    pieces = [b'{"prompt": "', b"x" * 300_000, b'", "model": "big"}']
    client.request("POST", site.prefix + CHAT, iter(pieces), encode_chunked=True)
    assert json.loads(client.getresponse().read())["body_bytes"] == sum(map(len, pieces))
    client.close()


def test_a_form_with_a_recording_names_its_model_in_a_field(site: Site) -> None:
    edge = "----edge"
    form = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode() + bytes(range(256)) * 40
    form += (
        f'\r\n--{edge}\r\nContent-Disposition: form-data; name="model"\r\n\r\nbig\r\n--{edge}--\r\n'
    ).encode()
    kind = f"multipart/form-data; boundary={edge}"
    answer = site.post(form, "/v1/audio/transcriptions", Content_Type=kind)
    assert (answer.status, answer.json().get("body_bytes")) == (200, len(form))


def test_probes_through_the_proxy_meet_their_own_instance(site: Site) -> None:
    """llama-server is asked without a model's name; by way of nginx it needs one."""
    for instance, engine in zip(
        site.bundle.instances, (site.chat, site.small, site.deep), strict=True
    ):
        asked = instance.through_proxy
        assert asked
        seen = len(engine.seen)
        assert probe.ask(asked).status == 200
        assert len(engine.seen) == seen + 1, instance.name


def test_the_log_names_the_model(tmp_path: Path) -> None:
    listen, *ports = free_ports(4)
    plan = by_model(listen, ports)
    assert plan.proxy
    log = "/var/log/nginx/provision.log"
    proxy = dataclasses.replace(plan.proxy, access_log=log)
    main = lay_out(render(dataclasses.replace(plan, proxy=proxy)), tmp_path, workers=1)
    with backends(*(Backend(port) for port in ports)), running(main, listen):
        ask(listen, CHAT, b'{"model": "gpt-4"}')
        ask(listen, CHAT, b'{"model": "nobody\'s"}')
        ask(listen, "/nothing", None)
        lines = log_lines(tmp_path, log, 3)
    assert [(one["status"], one["model"], one["route"]) for one in lines] == [
        (200, "gpt-4", "root"),
        (404, "", "root"),
        (404, "", "root"),
    ]


def test_streams_pass_piece_by_piece(tmp_path: Path) -> None:
    listen, *ports = free_ports(4)
    engine = Backend(ports[0], "stream")
    main = lay_out(render(by_model(listen, ports)), tmp_path)
    with backends(engine), running(main, listen):
        body = b'{"model": "big", "stream": true}'
        _, arrived = stream_taken_piece_by_piece(engine, listen, CHAT, body)
    assert len(arrived) == PIECES

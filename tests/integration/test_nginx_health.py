"""/health through a real nginx, from the files of the watch unit."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.host.bundle import WatchSettings
from provision.plan.plan import Proxy
from provision.render.bundle import render
from tests.unit.render import plans

from .nginx_bed import NGINX, NJS, ask, free_ports, lay_out, running
from .nginx_plans import by_model, one_route

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
WATCH = {"watch": WatchSettings()}


class Site:
    def __init__(self, listen: int, other: int, folder: Path) -> None:
        self.listen, self.other, self.folder = listen, other, folder / "run/provision/health"

    def put(self, name: str, status: str) -> None:
        """As watch does: one of both files, whole."""
        kind = "unavailable" if status == "unavailable" else "ok"
        path = self.folder / name
        path.mkdir(exist_ok=True)
        for one in path.glob("*.json"):
            one.unlink()
        (path / f"{kind}.json").write_text(json.dumps({"status": status}))

    def get(self, path: str, port: int | None = None, source: str | None = None) -> tuple[int, str]:
        answer = ask(port or self.listen, path, None, source=source)
        return answer.status, str(answer.json().get("status"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    listen, other, *ports = free_ports(4)
    chat, small = plans.vllm(port=ports[0]), plans.ollama(port=ports[1])
    address = f"127.0.0.1:{listen}"
    routes = (
        plans.route("root", "/", chat, listen=address),
        plans.route("path-small", "/small/", small, listen=address),
        plans.route("port-other", "/", small, listen=f"127.0.0.1:{other}"),
    )
    proxy = Proxy((address,), routes, keys_file="/etc/llm/keys", allow=("192.0.2.0/24",))
    main = lay_out(
        render(plans.plan(chat, small, proxy=proxy, watch=WatchSettings())),
        tmp_path,
        keys=("sk-12345678",),
    )
    with running(main, listen):
        yield Site(listen, other, tmp_path)


def test_it_says_what_watch_found(site: Site) -> None:
    assert site.get("/health") == (503, "unknown")
    assert site.get("/small/health") == (503, "unknown")
    site.put("", "degraded")
    site.put("path-small", "unavailable")
    site.put("port-other", "ok")
    assert site.get("/health") == (200, "degraded")
    assert site.get("/small/health") == (503, "unavailable")
    assert site.get("/health", site.other) == (200, "ok"), "a port of its own tells of its route"
    site.put("", "unavailable")
    assert site.get("/health") == (503, "unavailable")
    site.put("", "ok")
    assert site.get("/health") == (200, "ok")
    answer = ask(site.listen, "/health", None)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_no_key_is_needed_but_the_allow_list_holds(site: Site) -> None:
    site.put("", "ok")
    assert ask(site.listen, "/v1/models", None).status == 401
    assert ask(site.listen, "/healthy", None).status == 401
    assert ask(site.listen, "/health", None, source="127.0.0.2").status == 403
    assert site.get("/health") == (200, "ok")


def test_only_where_a_watch_unit_writes_them(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port)), tmp_path)
    with running(main, listen):
        assert ask(listen, "/health", None).status == 404


@pytest.mark.skipif(not NJS, reason="nginx's njs module is not installed")
def test_of_a_route_by_model_any_pool_will_do(tmp_path: Path) -> None:
    listen, *ports = free_ports(4)
    plan = by_model(listen, ports, path="/all/")
    main = lay_out(render(dataclasses.replace(plan, watch=WatchSettings())), tmp_path)
    with running(main, listen):
        site = Site(listen, 0, tmp_path)
        assert site.get("/all/health") == (503, "unknown")
        site.put("root.chat", "unavailable")
        assert site.get("/all/health") == (503, "unavailable")
        site.put("root.small", "ok")
        assert site.get("/all/health") == (200, "ok")

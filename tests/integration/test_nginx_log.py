"""The access log: a JSON object a line, and no secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.render.bundle import render

from .nginx_bed import NGINX, Backend, ask, backends, free_ports, lay_out, log_lines, running
from .nginx_plans import one_route

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
LOG = "/var/log/nginx/provision.log"
KEY, SECOND = "sk-very-secret-key", "sk-other-secret-key"


def test_each_request_is_an_object_with_the_times_of_its_upstreams(tmp_path: Path) -> None:
    listen, gone, port = free_ports(3)
    plan = one_route(listen, gone, port, path="/big/", access_log=LOG, keys_file="/etc/llm/keys")
    main = lay_out(render(plan), tmp_path, keys=(KEY, SECOND), workers=1)
    good = {"Authorization": f"Bearer {SECOND}"}
    with backends(Backend(port, delay_seconds=0.05)), running(main, listen):
        for _ in range(8):
            path = "/big/v1/completions?api_key=in-the-query"
            assert ask(listen, path, b"{}", good).status == 200
        ask(listen, '/big/a"b\\', None, good)
        ask(listen, "/other", None, {"Authorization": "Bearer sk-wrong-secret"})
        ask(listen, "/_provision/health", None)
        found = log_lines(tmp_path, LOG, 10)
    assert len(found) == 10, "the health answer is not logged, everything else is"
    text = (tmp_path / LOG.lstrip("/")).read_text()
    assert "secret" not in text and "in-the-query" not in text
    first = found[0]
    assert {
        name: first[name] for name in ("method", "uri", "route", "status", "key", "client")
    } == {
        "method": "POST",
        "uri": "/big/v1/completions",
        "route": "chat",
        "status": 200,
        "key": 2,
        "client": "127.0.0.1",
    }
    assert len(first["request_id"]) == 32 and first["time"].startswith("20")
    assert first["request_time"] >= 0.04 and first["bytes"] > 10
    retried = [one for one in found[:8] if "," in one["upstream_addr"]]
    assert retried, "no request met the instance that is gone"
    assert retried[0]["upstream_status"] == "502, 200"
    assert retried[0]["upstream_addr"] == f"127.0.0.1:{gone}, 127.0.0.1:{port}"
    for name in ("connect", "header", "response"):
        assert float(retried[0][f"upstream_{name}_time"].split(", ")[1]) >= 0
    assert [(one["status"], one["route"], one["key"]) for one in found[8:]] == [
        (404, "chat", 2),
        (401, "", 0),
    ]
    said = (tmp_path / "error.log").read_text()
    assert "uninitialized" not in said


def test_off(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port)), tmp_path)
    with backends(Backend(port)), running(main, listen):
        assert ask(listen, "/v1/completions", b"{}").status == 200
    assert not (tmp_path / LOG.lstrip("/")).exists()

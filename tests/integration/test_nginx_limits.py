"""Limits and refusals through a real nginx: rates, connections, sizes, and how they are said."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from provision.host import probe
from provision.plan.plan import RateLimit
from provision.render.bundle import render

from .nginx_bed import (
    NGINX,
    Answer,
    Backend,
    ask,
    ask_at_once,
    backends,
    free_ports,
    lay_out,
    running,
)
from .nginx_plans import one_route

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
BODY = b"{}"
FIRST, SECOND = "sk-first-key", "sk-second-key"


def refusal(answer: Answer) -> Any:
    assert answer.headers["content-type"] == "application/json"
    error: Any = answer.json()["error"]
    assert error["code"] == answer.status
    return error


def test_one_address_gets_so_many_and_then_429(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    plan = one_route(listen, port, rate_limit=RateLimit(0.1, burst=4))
    bundle = render(plan)
    main = lay_out(bundle, tmp_path)
    engine = Backend(port)
    with backends(engine), running(main, listen):
        answers = [ask(listen, "/v1/completions", BODY) for _ in range(10)]
        assert Counter(one.status for one in answers) == {200: 5, 429: 5}
        assert refusal(answers[-1])["type"] == "rate_limit_error"
        assert answers[-1].headers["retry-after"] == "1"
        assert ask(listen, "/v1/completions", BODY, source="127.0.0.2").status == 200
        asked = bundle.instances[0].through_proxy
        assert asked
        assert [probe.ask(asked).status for _ in range(10)] == [200] * 10, "a probe was counted"
        assert "x-provision-probe" not in engine.seen[-1].headers


def test_who_says_to_be_a_probe_from_elsewhere_is_counted(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port, rate_limit=RateLimit(0.1, burst=0))), tmp_path)
    claim = {"X-Provision-Probe": "1"}
    with backends(Backend(port)), running(main, listen):
        statuses = [
            ask(listen, "/v1/completions", BODY, claim, source="127.0.0.2").status for _ in range(3)
        ]
    assert statuses == [200, 429, 429]


def test_by_key_each_key_has_its_own_count(tmp_path: Path) -> None:
    """A made-up second header must not open a new count."""
    listen, port = free_ports(2)
    limit = RateLimit(0.1, burst=1, by="key")
    plan = one_route(listen, port, rate_limit=limit, keys_file="/etc/llm/keys")
    main = lay_out(render(plan), tmp_path, keys=(FIRST, SECOND))

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(listen, "/v1/completions", BODY, named).status

    with backends(Backend(port)), running(main, listen):
        assert status(Authorization=f"Bearer {FIRST}") == 200
        assert status(x_api_key=FIRST) == 200
        assert status(Authorization=f"Bearer {FIRST}", x_api_key="made-up-1") == 429
        assert status(Authorization=f"Bearer {FIRST}", x_api_key=SECOND) == 429
        assert status(x_api_key=SECOND) == 200
        assert status() == 401


def test_connections_of_one_address(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port, max_connections=2)), tmp_path)
    held = threading.Event()
    engine = Backend(port, "hold", held=held)
    with backends(engine), running(main, listen):
        answers = ask_at_once(5, 3, held, lambda: ask(listen, "/v1/completions", BODY))
        statuses = Counter(one.status for one in answers)
        assert statuses == {200: 2, 429: 3}
        assert ask(listen, "/v1/completions", BODY, source="127.0.0.3").status == 200
    assert engine.most_at_once == 2


def test_every_refusal_is_json(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    plan = one_route(listen, port, keys_file="/etc/llm/keys", allow=("192.0.2.0/24",))
    main = lay_out(render(plan), tmp_path, keys=(FIRST,))
    good = {"Authorization": f"Bearer {FIRST}"}
    with running(main, listen):
        strange = ask(listen, "/v1/completions", BODY, good, source="127.0.0.2")
        keyless = ask(listen, "/v1/completions", BODY)
        unknown = ask(listen, "/metrics", None, good)
        large = ask(listen, "/v1/completions", b"x" * (65 * 2**20), good)
        gone = ask(listen, "/v1/completions", BODY, good)
    assert [one.status for one in (strange, keyless, unknown, large, gone)] == [
        *(403, 401, 404, 413, 503)
    ]
    kinds = [refusal(one)["type"] for one in (strange, keyless, unknown, large, gone)]
    assert kinds == [
        "permission_error",
        "authentication_error",
        "not_found_error",
        "invalid_request_error",
        "server_error",
    ]
    assert keyless.headers["www-authenticate"] == "Bearer"
    assert gone.headers["retry-after"] == "5"
    assert "64 MiB" in refusal(large)["message"]


def test_what_the_engine_answers_is_passed_on_as_it_is(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port)), tmp_path)
    engine = Backend(port)
    with backends(engine), running(main, listen):
        for status in ("400 Bad Request", "404 Not Found", "429 Too Many Requests", "500 Oops"):
            engine.status = status
            answer = ask(listen, "/v1/completions", BODY)
            assert (answer.status, answer.json()["port"]) == (int(status[:3]), port)


def test_a_silent_engine_is_504_and_asked_once(tmp_path: Path) -> None:
    """Not the next one: it may be generating still."""
    listen, *ports = free_ports(3)
    members = [Backend(port, delay_seconds=20) for port in ports]
    main = lay_out(render(one_route(listen, *ports, read_timeout_seconds=1)), tmp_path)
    with backends(*members), running(main, listen):
        answer = ask(listen, "/v1/completions", BODY)
    assert (answer.status, refusal(answer)["type"]) == (504, "server_error")
    assert sum(len(one.seen) for one in members) == 1


def test_an_engine_that_hung_up_is_passed_over_and_nothing_runs_twice(tmp_path: Path) -> None:
    """It has read the request and closed without an answer: its process is gone, or its request."""
    listen, *ports = free_ports(3)
    dead, good = Backend(ports[0], "reset"), Backend(ports[1], delay_seconds=0.1)
    main = lay_out(render(one_route(listen, *ports)), tmp_path)
    with backends(dead, good), running(main, listen):
        statuses = Counter(ask(listen, "/v1/completions", BODY).status for _ in range(20))
    assert statuses == {200: 20}
    assert len(good.seen) == 20 and len(dead.seen) > 0
    assert good.most_at_once == 1 and dead.most_at_once == 1


def test_no_instance_gets_more_than_it_may(tmp_path: Path) -> None:
    listen, *ports = free_ports(3)
    held = threading.Event()
    members = [Backend(port, "hold", held=held) for port in ports]
    plan = one_route(listen, *ports, route={"max_in_flight": 2})
    main = lay_out(render(plan), tmp_path)
    with backends(*members), running(main, listen):
        answers = ask_at_once(7, 3, held, lambda: ask(listen, "/v1/completions", BODY))
    assert Counter(one.status for one in answers) == {200: 4, 503: 3}
    assert [one.most_at_once for one in members] == [2, 2]
    assert {one.headers.get("retry-after") for one in answers if one.status == 503} == {"5"}

"""Requests while nginx reloads: none is lost, none is cut (`pytest -s` prints the figures)."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from provision.plan.plan import Plan, Proxy
from provision.render.bundle import render
from tests.unit.render import plans

from .nginx_bed import NGINX, PIECES, Backend, backends, free_ports, lay_out, reload, running

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
BODY = json.dumps({"model": "m", "prompt": "hi"}).encode()
RELOADS = 20


def one_route(listen: int, *ports: int) -> Plan:
    members = [plans.vllm(f"chat.{at}", port=port) for at, port in enumerate(ports)]
    route = plans.route("chat", "/", *members, listen=f"127.0.0.1:{listen}")
    return plans.plan(*members, proxy=Proxy(route.listen, (route,)))


class Clients:
    """Threads that send one request after the other, keeping connections where they may."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.outcomes: Counter[str] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _work(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self._stop.is_set():
            try:
                client.request("POST", "/v1/completions", BODY)
                answer = client.getresponse()
                whole = answer.read()
                if answer.getheader("Content-Type") == "text/event-stream":
                    told = "whole" if whole.count(b"data:") == PIECES else "cut"
                else:
                    told = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                told = type(error).__name__
                client.close()
            with self._lock:
                self.outcomes[told] += 1
        client.close()


def test_clients_lose_nothing_over_reloads(tmp_path: Path) -> None:
    """Connections are not kept: one that a reload closes takes a request with it."""
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port)), tmp_path)
    with backends(Backend(port)), running(main, listen) as pid, Clients(listen, 8) as clients:
        for _ in range(RELOADS):
            reload(pid, main)
            time.sleep(0.05)
    print(f"\n{RELOADS} reloads: {dict(clients.outcomes)}")
    assert set(clients.outcomes) == {"200"}
    assert clients.outcomes["200"] > 100


def test_streams_pass_whole_over_reloads(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port)), tmp_path)
    engine = Backend(port, "stream")
    with backends(engine), running(main, listen) as pid, Clients(listen, 8) as clients:
        for _ in range(RELOADS):
            reload(pid, main)
            time.sleep(0.2)
    print(f"\n{RELOADS} reloads: {dict(clients.outcomes)}")
    assert set(clients.outcomes) == {"whole"}
    assert clients.outcomes["whole"] > 16

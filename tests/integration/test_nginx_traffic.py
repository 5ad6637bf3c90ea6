"""Traffic through a real nginx and our rendered configuration (`pytest -s` prints the figures).

The same measurement with the usual recipe (least_conn and no retry) lost 544 of 600 requests: a
server that answers 503 at once has the fewest connections, so it gets nearly all of them.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provision.plan.plan import Plan, Proxy
from provision.render.bundle import render
from tests.unit.render import plans

from .nginx_bed import (
    NGINX,
    PIECES,
    Backend,
    ask,
    backends,
    free_ports,
    lay_out,
    running,
    stream_taken_piece_by_piece,
)

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")
BODY = json.dumps({"model": "m", "prompt": "hi"}).encode()


def one_route(listen: int, *ports: int, path: str = "/") -> Plan:
    """All ports behind one path, as instances of vLLM."""
    members = [plans.vllm(f"chat.{at}", port=port) for at, port in enumerate(ports)]
    route = plans.route("chat", path, *members, listen=f"127.0.0.1:{listen}")
    return plans.plan(*members, proxy=Proxy((f"127.0.0.1:{listen}",), (route,)))


def test_a_server_that_answers_503_at_once_does_not_swallow_the_traffic(tmp_path: Path) -> None:
    listen, *ports = free_ports(4)
    good = [Backend(port, delay_seconds=0.05) for port in ports[:2]]
    bad = Backend(ports[2], "busy")
    main = lay_out(render(one_route(listen, *ports)), tmp_path)
    with backends(*good, bad), running(main, listen):
        started = time.monotonic()
        statuses = Counter(_post_many(listen, 600, clients=12))
        took = time.monotonic() - started
    shares = [len(one.seen) for one in good]
    print(
        f"\n600 POSTs, 12 clients, one of three servers answers 503: {dict(statuses)}, "
        f"good servers {shares}, bad one asked {len(bad.seen)} times, {took:.1f} s"
    )
    assert statuses == {200: 600}
    assert sum(shares) == 600
    assert len(bad.seen) > 0, "the bad one was never asked, nothing was measured"
    assert min(shares) > 200


def test_servers_that_are_gone_are_passed_over(tmp_path: Path) -> None:
    listen, *ports = free_ports(4)
    alive = Backend(ports[0])
    main = lay_out(render(one_route(listen, *ports)), tmp_path)
    with backends(alive), running(main, listen):
        statuses = Counter(_post_many(listen, 100, clients=4))
    print(f"\n100 POSTs, two of three servers refuse connections: {dict(statuses)}")
    assert statuses == {200: 100}
    assert len(alive.seen) == 100


def test_a_server_that_comes_back_is_used_at_once(tmp_path: Path) -> None:
    """max_fails=0: nobody is set aside for the ten seconds of nginx's default."""
    listen, port = free_ports(2)
    main = lay_out(render(one_route(listen, port)), tmp_path)
    with running(main, listen):
        assert ask(listen, "/v1/completions", BODY).status == 503
        with backends(Backend(port)):
            started = time.monotonic()
            assert ask(listen, "/v1/completions", BODY).status == 200
            took = time.monotonic() - started
    print(f"\nback after {took * 1000:.0f} ms")
    assert took < 5


def test_all_busy_is_told_as_such(tmp_path: Path) -> None:
    """Every member is asked once, then the client learns 503 and can wait."""
    listen, *ports = free_ports(4)
    members = [Backend(port, "busy") for port in ports]
    main = lay_out(render(one_route(listen, *ports)), tmp_path)
    with backends(*members), running(main, listen):
        assert ask(listen, "/v1/completions", BODY).status == 503
    assert [len(one.seen) for one in members] == [1, 1, 1]


def test_a_kept_connection_that_the_engine_closed_is_no_error(tmp_path: Path) -> None:
    """One server alone: nginx tries a fresh connection beside the stale one."""
    listen, port = free_ports(2)
    engine = Backend(port, idle_seconds=0.3)
    main = lay_out(render(one_route(listen, port)), tmp_path, workers=1)
    with backends(engine), running(main, listen):
        statuses = []
        for pause in (0, 0.29, 0.3, 0.301, 0.31, 0.5):
            time.sleep(pause)
            statuses.append(ask(listen, "/v1/completions", BODY).status)
    assert statuses == [200] * 6
    assert engine.connections > 1


def test_connections_to_the_engine_are_kept(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    engine = Backend(port)
    main = lay_out(render(one_route(listen, port)), tmp_path, workers=1)
    with backends(engine), running(main, listen):
        for _ in range(50):
            assert ask(listen, "/v1/completions", BODY).status == 200
    assert engine.connections == 1
    assert "connection" not in engine.seen[0].headers


def test_streams_spread_evenly_over_the_workers(tmp_path: Path) -> None:
    """Without a shared zone each worker counts for itself: (9, 3, 0) was measured."""
    listen, *ports = free_ports(4)
    members = [Backend(port, "hold") for port in ports]
    main = lay_out(render(one_route(listen, *ports)), tmp_path, workers=8)
    with backends(*members), running(main, listen):
        spreads = []
        for _ in range(2):
            held = threading.Event()
            for member in members:
                member.held = held
            with ThreadPoolExecutor(12) as pool:
                asked = [pool.submit(ask, listen, "/v1/completions", BODY) for _ in range(12)]
                deadline = time.monotonic() + 20
                while sum(one.open_streams for one in members) < 12 and time.monotonic() < deadline:
                    time.sleep(0.01)
                spreads.append(sorted(one.open_streams for one in members))
                held.set()
                assert {one.result().status for one in asked} == {200}
    print(f"\n12 streams, 3 servers, 8 workers: {spreads}")
    assert spreads == [[4, 4, 4], [4, 4, 4]]


def test_a_stream_passes_piece_by_piece(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    engine = Backend(port, "stream")
    main = lay_out(render(one_route(listen, port)), tmp_path)
    with backends(engine), running(main, listen):
        path = "/v1/completions"
        headers, arrived = stream_taken_piece_by_piece(engine, listen, path, BODY)
    lags = [(got - sent) * 1000 for sent, got in zip(engine.sent_at, arrived, strict=True)]
    print(f"\n{PIECES} pieces, ms behind the engine: first {lags[0]:.1f}, worst {max(lags):.1f}")
    assert len(lags) == PIECES
    assert headers["X-Accel-Buffering"] == "no"


def test_a_slow_reader_holds_back_its_engine_and_nobody_else(tmp_path: Path) -> None:
    """Nothing piles up in nginx: no temporary file, and the engine is stopped by back-pressure."""
    listen, port, other = free_ports(3)
    flood, quick = Backend(port, "flood"), Backend(other)
    bundle = render(
        plans.plan(
            plans.vllm("slow.0", port=port),
            plans.vllm("quick.0", port=other),
            proxy=Proxy(
                (f"127.0.0.1:{listen}",),
                (
                    plans.route(
                        "slow", "/slow/", plans.vllm(port=port), listen=f"127.0.0.1:{listen}"
                    ),
                    plans.route("quick", "/", plans.vllm(port=other), listen=f"127.0.0.1:{listen}"),
                ),
            ),
        )
    )
    main = lay_out(bundle, tmp_path, workers=1)
    with backends(flood, quick), running(main, listen):
        reader = socket.create_connection(("127.0.0.1", listen))
        reader.sendall(
            b"POST /slow/v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        )
        assert reader.recv(20).startswith(b"HTTP/1.1 200")
        time.sleep(1)
        started = time.monotonic()
        assert ask(listen, "/v1/completions", BODY).status == 200
        took = time.monotonic() - started
        held = flood.sent_bytes / 2**20
        files = [one for one in (tmp_path / "temp").rglob("*") if one.is_file()]
        reader.close()
        deadline = time.monotonic() + 10
        while flood.open_streams and time.monotonic() < deadline:
            time.sleep(0.05)
    print(f"\nslow reader: {held:.1f} of 64 MiB taken from the engine; other: {took * 1000:.0f} ms")
    assert held < 32
    assert files == []
    assert took < 5
    assert flood.open_streams == 0, "the engine goes on generating for a client that has left"


def test_a_long_prompt_passes(tmp_path: Path) -> None:
    listen, port = free_ports(2)
    engine = Backend(port)
    main = lay_out(render(one_route(listen, port)), tmp_path)
    with backends(engine), running(main, listen):
        answer = ask(listen, "/v1/completions", b"x" * (3 * 2**20))
        assert (answer.status, answer.json()["body_bytes"]) == (200, 3 * 2**20)
        assert ask(listen, "/v1/completions", b"x" * (65 * 2**20)).status == 413


def _post_many(port: int, count: int, clients: int) -> list[int]:
    """Statuses of so many POSTs, sent by clients that each keep one connection."""
    statuses: list[int] = []
    lock = threading.Lock()

    def work(share: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(share):
            client.request("POST", "/v1/completions", BODY)
            answer = client.getresponse()
            answer.read()
            with lock:
                statuses.append(answer.status)
        client.close()

    threads = [threading.Thread(target=work, args=(count // clients,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses

"""An instance that is out becomes idle: what is waited for, and what holds nobody up."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from provision.host.balancer.drain import wait_idle
from provision.host.balancer.upstreams import (
    take_out,
)

from .balancer_bed import BODY, streaming, wait_until
from .balancer_pair import instance, pair
from .nginx_bed import NGINX, Backend, ask

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")


def test_nothing_is_lost_while_an_instance_is_out(tmp_path: Path) -> None:
    """Taken out, drained and brought back three times while ten clients stream."""
    with pair(tmp_path, "stream") as both:
        with streaming(both.bed.listen, 10) as load:
            for _ in range(3):
                wait_until(lambda: both.zero.open_streams > 0)
                began = time.monotonic()
                both.take_out()
                out = time.monotonic() - began
                at_once = len(both.zero.seen)
                idle = both.drained()
                assert both.zero.open_streams == 0, "called idle with a stream open"
                after = len(both.zero.seen)
                time.sleep(1.5)
                assert len(both.zero.seen) == after, "a request came to an idle instance"
                print(f"\nout {out:.2f} s, idle {idle:.2f} s later, {after - at_once} came late")
                both.bring_in()
                at = len(both.zero.seen)
                wait_until(partial(_asked_more_than, both.zero, at))
        print(f"{load.done} streams, {len(load.failed)} failed")
    assert load.failed == []
    assert load.done > 50


def test_a_request_that_is_still_being_read_is_waited_for(tmp_path: Path) -> None:
    """An old worker has the head of a POST and not its body: it may pass it on to anybody."""
    with pair(tmp_path) as both:
        take_out(
            both.bed.nginx,
            both.bed.files,
            ["chat.1"],
            "watch",
            "only chat.0 is left",
            both.bed.door,
        )
        with socket.create_connection(("127.0.0.1", both.bed.listen)) as client:
            client.sendall(
                b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{"
            )
            time.sleep(0.3)
            both.take_out()
            before = len(both.zero.seen)
            threading.Timer(2.0, client.sendall, (b"}",)).start()
            waited = both.drained()
            assert len(both.zero.seen) == before + 1, "it came after the instance was called idle"
            assert 2 <= waited < 30
            assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_who_connects_and_never_asks_holds_up_nobody_for_long(tmp_path: Path) -> None:
    with pair(tmp_path) as both, socket.create_connection(("127.0.0.1", both.bed.listen)):
        time.sleep(0.3)
        both.take_out()
        assert both.drained() < 30  # of 60


def test_kept_connections_of_nginx_do_not_hold_it_up(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        assert min(both.shares(20)) > 0
        both.take_out()
        assert both.drained() < 15  # of 60, in which nginx closes them


def test_patience_ends(tmp_path: Path) -> None:
    with pair(tmp_path, "stream") as both, ThreadPoolExecutor(1) as pool:
        take_out(both.bed.nginx, both.bed.files, ["chat.1"], "watch", "x", both.bed.door)
        both.zero.mode, both.zero.held = "hold", threading.Event()
        asked = pool.submit(ask, both.bed.listen, "/v1/completions", BODY)
        wait_until(lambda: both.zero.open_streams == 1)
        both.take_out()
        found = wait_idle(instance(1), both.bed.files, both.zero.port, door=both.bed.door)
        assert (found.idle, found.left) == (False, "1 request through nginx")
        threading.Timer(1.5, both.zero.held.set).start()
        assert both.drained() > 1
        assert asked.result().status == 200


def _asked_more_than(stub: Backend, requests: int) -> bool:
    return len(stub.seen) > requests
